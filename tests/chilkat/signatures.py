"""What the library's members take and give, by its own reference. Programs are not written from this."""

SIGNATURES = {
    ("Http", "SetRequestHeader"): ("", "name string value string"),
    ("Http", "QuickRequest"): ("HttpResponse", "verb string url string"),
    ("HttpResponse", "GetBodyJson"): ("bool", "json JsonObject"),
    ("JsonObject", "HasMember"): ("bool", "jsonPath string"),
    ("JsonObject", "StringOf"): ("string", "jsonPath string"),
    ("Rest", "Connect"): ("bool", "hostname string port int tls bool autoReconnect bool"),
    ("Rest", "FullRequestNoBodySb"): ("bool", "verb string uriPath string sb StringBuilder"),
    ("WebSocket", "UseConnection"): ("bool", "connection Rest"),
    ("WebSocket", "AddClientHeaders"): ("bool", ""),
    ("WebSocket", "ValidateServerHandshake"): ("bool", ""),
    ("WebSocket", "ReadFrame"): ("bool", ""),
    ("WebSocket", "GetFrameData"): ("string", ""),
    ("WebSocket", "GetFrameDataBd"): ("bool", "binData BinData"),
    ("WebSocket", "SendFrame"): ("bool", "stringToSend string finalFrame bool"),
    ("WebSocket", "SendClose"): ("bool", "includeStatus bool statusCode int reason string"),
    ("BinData", "Clear"): ("bool", ""),
    ("BinData", "GetString"): ("string", "charset string"),
    ("Gzip", "UncompressBd"): ("bool", "binDat BinData"),
    ("StringBuilder", "Append"): ("bool", "value string"),
    ("StringBuilder", "Clear"): ("", ""),
    ("StringBuilder", "GetAsString"): ("string", ""),
    ("StringBuilder", "ContentsEqual"): ("bool", "str string caseSensitive bool"),
    ("StringBuilder", "StartsWith"): ("bool", "substr string caseSensitive bool"),
    ("Crypt2", "SetMacKeyString"): ("bool", "key string"),
    ("Crypt2", "MacStringENC"): ("string", "inText string"),
    ("CkDateTime", "SetFromCurrentSystemTime"): ("", ""),
    ("CkDateTime", "GetAsUnixTimeStr"): ("string", "bLocal bool"),
}
GIVES = {name: gives for name, (gives, _) in SIGNATURES.items()}
TAKES = {
    name: list(zip(takes.split()[::2], takes.split()[1::2], strict=True))
    for name, (_, takes) in SIGNATURES.items()
}
PROPERTIES = {
    "Http": {"LastMethodSuccess": "bool", "LastErrorText": "string"},
    "HttpResponse": {"StatusCode": "int", "BodyStr": "string"},
    "Rest": {"ResponseStatusCode": "int", "ResponseHeader": "string", "LastErrorText": "string"},
    "WebSocket": {
        "FinalFrame": "bool",
        "FrameOpcodeInt": "int",
        "CloseStatusCode": "int",
        "IdleTimeoutMs": "int",
        "LastErrorText": "string",
    },
    "Gzip": {"LastErrorText": "string"},
    "Crypt2": {
        "HashAlgorithm": "string",
        "MacAlgorithm": "string",
        "EncodingMode": "string",
        "Charset": "string",
    },
}
