<?php
// A stand-in for Chilkat's extension and for its ActiveX: see ../serve.py.
class ChilkatPipe
{
    private static $asked;
    private static $told;

    public static function ask(...$parts)
    {
        if (!self::$asked) {
            self::$asked = fopen(getenv('CHILKAT_ASK'), 'w');
            self::$told = fopen(getenv('CHILKAT_TOLD'), 'r');
        }
        fwrite(self::$asked, implode(' ', $parts) . "\n");
        $answer = rtrim(fgets(self::$told), "\n");
        $rest = substr($answer, 1);
        switch ($answer[0]) {
            case 'e':
                throw new Exception(hex2bin($rest));
            case 'n':
                return null;
            case 's':
                return hex2bin($rest);
            case 'o':
                return explode(' ', $rest);
            case 'b':
                return $rest === '1';
        }
        return (int) $rest;
    }

    public static function written($value)
    {
        if (is_object($value)) {
            return 'o' . $value->number;
        }
        if (is_bool($value)) {
            return $value ? 'b1' : 'b0';
        }
        return is_int($value) ? "i$value" : 's' . bin2hex($value);
    }
}

#[AllowDynamicProperties]
class ChilkatObject
{
    public $number;

    public function __construct($number = null)
    {
        $this->number = $number ?? ChilkatPipe::ask('new', static::class)[0];
    }

    public function __call($name, $values)
    {
        $given = ChilkatPipe::ask('call', $this->number, $name, ...array_map('ChilkatPipe::written', $values));
        return is_array($given) ? new $given[1]($given[0]) : $given;
    }
}

foreach (['Http', 'HttpResponse', 'JsonObject', 'Rest', 'WebSocket', 'BinData', 'Gzip', 'StringBuilder', 'Crypt2',
          'DateTime'] as $kind) {
    eval("class Ck$kind extends ChilkatObject {}");
}

class COM
{
    private $number;

    public function __construct($name, $number = null)
    {
        $kind = substr($name, strlen('Chilkat.'));
        $kind = str_starts_with($kind, 'Ck') ? $kind : "Ck$kind";
        $this->number = $number ?? ChilkatPipe::ask('new', $kind)[0];
    }

    public function __call($name, $values)
    {
        $values = array_map(fn ($value) => $value instanceof COM ? "o$value->number" : ChilkatPipe::written($value), $values);
        $given = ChilkatPipe::ask('invoke', $this->number, $name, ...$values);
        return is_array($given) ? new COM('Chilkat.Http', $given[0]) : $given;
    }

    public function __get($name)
    {
        return ChilkatPipe::ask('get', $this->number, $name);
    }

    public function __set($name, $value)
    {
        ChilkatPipe::ask('put', $this->number, $name, ChilkatPipe::written($value));
    }
}
