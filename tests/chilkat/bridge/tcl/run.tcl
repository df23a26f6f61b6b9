# A stand-in for Chilkat's extension, then the program that is named: see ../serve.py.
set asked [open $env(CHILKAT_ASK) w]
set told [open $env(CHILKAT_TOLD) r]
fconfigure $asked -translation lf -buffering line
fconfigure $told -translation lf
fconfigure stdout -encoding utf-8

proc load {file} {}

proc ask {line} {
    puts $::asked $line
    gets $::told answer
    set rest [string range $answer 1 end]
    switch -- [string index $answer 0] {
        e { error [encoding convertfrom utf-8 [binary decode hex $rest]] }
        n { return "" }
        s { return [encoding convertfrom utf-8 [binary decode hex $rest]] }
        o { return "_o[lindex $rest 0]_p_[lindex $rest 1]" }
    }
    return $rest
}

proc object {handle class} {
    if {![regexp {^_o(\d+)_p_(\w+)$} $handle all number is] || $is ne $class} {
        error "$handle is no $class"
    }
    return $number
}

rename unknown unknown_before
proc unknown {name args} {
    if {[regexp {^new_(\w+)$} $name all class]} { return [ask "new $class"] }
    if {[regexp {^delete_(\w+)$} $name all class]} { return [ask "drop [object [lindex $args 0] $class]"] }
    if {![regexp {^(Ck[A-Za-z0-9]+)_(\w+)$} $name all class member]} {
        error "invalid command name \"$name\""
    }
    set line "call [object [lindex $args 0] $class] $member"
    foreach value [lrange $args 1 end] {
        if {[regexp {^_o(\d+)_p_} $value all number]} {
            append line " o$number"
        } else {
            append line " s[binary encode hex [encoding convertto utf-8 $value]]"
        }
    }
    return [ask $line]
}

set program [lindex $argv 0]
source -encoding utf-8 $program
