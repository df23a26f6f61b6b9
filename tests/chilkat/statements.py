"""Statements that several languages have in common, as patterns for whole lines.

Written from the languages and from Chilkat's own pages for them, and not from the data that programs are
written with: a word that is wrong there is not read here. The first pattern that fits decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.chilkat.expressions import Manner

Patterns = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Grammar:
    """One language: how members are written, and how statements are."""

    manner: Manner
    patterns: Patterns
    comment: str
    number_booleans: bool = False
    """1 and 0 stand for true and false."""
    typed: bool = False
    """A variable has to be declared, once, before it is used."""
    disposes: str = "none"
    """Which objects a program gives back: all, those that were `returned`, or none."""
    after_failure: bool = True
    indented: bool = False
    """Blocks end where the indentation does."""
    signs: tuple[str, str] | None = None
    """What stands before a member of an object that was made, and of one that a call gave."""
    set_objects: bool = False
    """Objects are assigned with `Set`."""


COUNT = r"(?P<var>[@$]?\w+) = [@$]?\w+ \+ 1;?"
MEMBERS: Patterns = [
    (r"(?P<object>\$?\w+)\.(?P<member>\w+) = (?P<value>.+)", "put"),
]
BASIC: Patterns = [
    (r"Sub ChilkatExample\(\)", "open"),
    (r"End Sub", "end"),
    (r"Exit Sub", "leave"),
    (r"If \((?P<left>.+) (?P<sign>=|<>) (?P<right>\w+)\) Then", "if"),
    (r"Else", "else"),
    (r"End If", "end"),
    (r"Do While \((?P<left>.+) (?P<sign><) (?P<right>\w+)\)", "while"),
    (r"Loop", "end"),
    (COUNT, "count"),
]
VOID: Patterns = [(r"(?P<object>\w+)\.(?P<member>\w+)(?: (?P<arguments>[^=].*))?", "void")]
LET: Patterns = [(r"(?P<var>[$]?\w+) = (?P<value>.+)", "let")]
VB6: Patterns = [
    *BASIC,
    (r"Dim (?P<var>\w+) As New (?:Chilkat)?(?P<class>\w+)", "create"),
    (r"Dim (?P<var>\w+) As (?P<type>\w+)", "declare"),
    (r"Debug\.Print (?P<value>.+)", "print"),
    (r"Set (?P<var>\w+) = (?P<value>.+)", "set"),
    *MEMBERS,
    *LET,
    *VOID,
]
SCRIPTED: Patterns = [
    *BASIC,
    (r"Set (?P<var>\w+) = (?P<value>.+)", "set"),
    *MEMBERS,
    *LET,
    *VOID,
]
BRACES: Patterns = [
    (r"if \((?P<left>.+) (?P<sign>==|!=) (?P<right>\$?\w+)\) \{", "if"),
    (r"while \((?P<left>.+) (?P<sign><) (?P<right>\w+)\) \{", "while"),
    (r"\} else \{", "else"),
    (r"\}", "end"),
    (r"return;", "leave"),
    (COUNT, "count"),
]
DONE: Patterns = [(r"(?P<var>\$?\w+) = (?P<value>.+);", "let"), (r"(?P<value>.+);", "do")]
DOTS: Patterns = [(r"(?P<object>\$?\w+)\.(?P<member>\w+) = (?P<value>.+);", "put")]
PUTS = r"(?P<object>\$?\w+)(?:\.|->)put_(?P<member>\w+)\((?P<value>.+)\)"

C_TYPES = r"(?P<type>H\w+|const char \*|const wchar_t \*|int|BOOL)"
C: Patterns = [
    (r"void ChilkatSample\(void\)", "frame"),
    (r"int main\(void\)", "frame"),
    (r"ChilkatSample\(\);", "frame"),
    (r"return 0;", "frame"),
    (r"\{", "open"),
    *BRACES,
    (rf"{C_TYPES} ?(?P<var>\w+);", "declare"),
    (r"(?P<var>\w+) = (?P<class>\w+)_Create\(\);", "create"),
    (r"(?P<class>\w+)_Dispose\((?P<var>\w+)\);", "dispose"),
    (r"(?P<class>\w+)_put(?P<member>\w+)\((?P<object>\w+),(?P<value>.+)\);", "put"),
]
CPP: Patterns = [
    (r"void ChilkatSample\(void\)", "frame"),
    (r"int main\(void\)", "frame"),
    (r"ChilkatSample\(\);", "frame"),
    (r"return 0;", "frame"),
    (r"\{", "open"),
    *BRACES,
    (r"delete (?P<var>\w+);", "dispose"),
    (rf"{PUTS};", "put"),
    (r"(?P<class>Ck\w+) (?P<var>\w+);", "create"),
    (r"(?P<type>const char \*|const wchar_t \*|int |bool |Ck\w+ \*)(?P<var>\w+) = (?P<value>.+);", "let_new"),
]
SHARP: Patterns = [
    *BRACES,
    (r"Chilkat\.\w+ (?P<var>\w+) = new Chilkat\.(?P<class>\w+)\(\);", "create"),
    (r"Debug\.WriteLine\(Convert\.ToString\((?P<value>.+)\)\);", "print"),
    (r"Debug\.WriteLine\((?P<value>.+)\);", "print"),
    (r"(?P<type>string|int|bool|Chilkat\.\w+) (?P<var>\w+) = (?P<value>.+);", "let_new"),
    *DOTS,
    *DONE,
]
JAVA: Patterns = [
    (r"public class \w+( extends Activity)? \{", "open"),
    (r"(static|try) \{", "open"),
    (r"\} catch \(UnsatisfiedLinkError e\) \{", "frame"),
    (r"System\.(err|exit|loadLibrary)\b.*", "frame"),
    (r"public static void main\(String argv\[\]\)", "frame"),
    (r"public void onCreate\(Bundle savedInstanceState\) \{", "open"),
    (r"\{", "open"),
    *BRACES,
    (r"Ck\w+ (?P<var>\w+) = new (?P<class>\w+)\(\);", "create"),
    (r"(?P<type>String|int|boolean|Ck\w+) (?P<var>\w+) = (?P<value>.+);", "let_new"),
    (rf"{PUTS};", "put"),
]
SCRIPT_BRACES: Patterns = [
    (r"if \(os\.platform\(\) == '\w+'\) \{", "open"),
    (r"if \(os\.arch\(\) == '\w+'\) \{", "open"),
    (r"\} else if \(os\.platform\(\) == '\w+'\) \{", "frame"),
    (r"var (os|chilkat) = require\('[\w@/-]+'\);", "frame"),
    (r"function chilkatExample\(\) \{", "open"),
    (r"chilkatExample\(\);", "frame"),
    *BRACES,
    (r"var (?P<var>\w+) = new chilkat\.(?P<class>\w+)\(\);", "create"),
    (r'var (?P<var>\w+) = new ActiveXObject\("Chilkat\.(?P<class>\w+)"\);', "create"),
    (r"console\.log\((?P<value>.+)\);", "print"),
    (r"WScript\.Echo\((?P<value>.+)\);", "print"),
    (r"WScript\.Quit\(\);", "leave"),
    (r"var (?P<var>\w+) = (?P<value>.+);", "let_new"),
    *DOTS,
    *DONE,
]
PYTHON: Patterns = [
    (r"if \((?P<left>.+) (?P<sign>==|!=) (?P<right>\w+)\):", "if"),
    (r"while \((?P<left>.+) (?P<sign><) (?P<right>\w+)\):", "while"),
    (r"else:", "else"),
    (r"sys\.exit\(\)", "leave"),
    (r"print\((?P<value>.+)\)", "print"),
    (COUNT, "count"),
    (r"(?P<var>\w+) = chilkat2?\.(?P<class>\w+)\(\)", "create"),
    (PUTS, "put"),
    *MEMBERS,
    *LET,
    (r"(?P<value>.+)", "do"),
]
PHP: Patterns = [
    *BRACES,
    (r"exit;", "leave"),
    (r'print (?P<value>.+) \. "(?:\\r)?\\n";', "print"),
    (r"(?P<var>\$\w+) = new (?P<class>Ck\w+)\(\);", "create"),
    (r'(?P<var>\$\w+) = new COM\("Chilkat\.(?P<class>\w+)"\);', "create"),
    (r"(?P<var>\$\w+) = chilkat::(?P<class>\w+)->new\(\);", "create"),
    (rf"{PUTS};", "put"),
    (r"(?P<object>\$\w+)->(?P<member>\w+) = (?P<value>.+);", "put"),
    *DONE,
]
PASCAL: Patterns = [
    (r"procedure TForm1\.Button1Click\(Sender: TObject\);", "frame"),
    (r"uses", "frame"),
    (r"Windows, SysUtils, Classes, Forms, StdCtrls, [\w, ]+;", "frame"),
    (r"var", "frame"),
    (r"if \((?P<left>.+) (?P<sign>=|<>) (?P<right>\w+)\) then", "if_head"),
    (r"while \((?P<left>.+) (?P<sign><) (?P<right>\w+)\) do", "while_head"),
    (r"else", "else_head"),
    (r"begin", "begin"),
    (r"end;?", "pascal_end"),
    (r"Exit;", "leave"),
    (r"(?P<var>\w+): (?P<type>\w+);", "declare"),
    (r"Memo1\.Lines\.Add\(IntToStr\((?P<value>.+)\)\);", "print"),
    (r"Memo1\.Lines\.Add\((?P<value>.+)\);", "print"),
    (r"(?P<var>\w+) := (?P=var) \+ 1;", "count"),
    (r"(?P<var>\w+) := T(?:Chilkat)?(?P<class>\w+)\.Create\(Self\);", "create"),
    (r"(?P<var>\w+) := (?P<class>\w+)_Create\(\);", "create"),
    (r"(?P<class>\w+)_Dispose\((?P<var>\w+)\);", "dispose"),
    (r"(?P<class>\w+)_put(?P<member>\w+)\((?P<object>\w+),(?P<value>.+)\);", "put"),
    (r"(?P<object>\w+)\.(?P<member>\w+) := (?P<value>.+);", "put"),
    (r"(?P<var>\w+) := (?P<value>.+);", "let"),
    (r"(?P<value>.+);", "do"),
]
XBASE: Patterns = [
    (r"LOCAL (?P<var>\w+)", "declare"),
    (r"(?i)if \((?P<left>.+) (?P<sign>=|<>) (?P<right>[\w.]+)\) then", "if"),
    (r"(?i)do while \((?P<left>.+) (?P<sign><) (?P<right>\w+)\)", "while"),
    (r"(?i)else", "else"),
    (r"(?i)endif|enddo", "end"),
    (r"CANCEL|return", "leave"),
    (r"(?i)release (?P<var>\w+)", "dispose"),
    (r"\? (?:STR|str)\((?P<value>.+)\)", "print"),
    (r"\? (?P<value>.+)", "print"),
    (COUNT, "count"),
    (r"(?P<var>\w+) = CreateObject\('Chilkat\.(?P<class>\w+)'\)", "create"),
    (r'(?P<var>\w+) = createobject\("(?P<class>Ck\w+)"\)', "create"),
    *MEMBERS,
    *LET,
    (r"(?P<value>.+)", "do"),
]
APPLE: Patterns = [
    (r"func chilkatTest\(\) \{", "open"),
    (r"chilkatTest\(\)", "frame"),
    (r"if (?P<left>.+) (?P<sign>==|!=) (?P<right>\w+) \{", "if"),
    (r"while (?P<left>.+) (?P<sign><) (?P<right>\w+) \{", "while"),
    (r"\} else \{", "else"),
    (r"\}", "end"),
    (r"return", "leave"),
    (r'print\("\\\((?P<value>.+)\)"\)', "print"),
    (r"(?P<var>\w+) = nil", "dispose"),
    (COUNT, "count"),
    (r"let (?P<var>\w+) = Cko(?P<class>\w+)\(\)!?", "create"),
    (r"var (?P<var>\w+): (?P<type>[\w?]+) = (?P<value>.+)", "let_new"),
    *MEMBERS,
    *LET,
    (r"(?P<value>.+)", "do"),
]
