# Makes the manual pages from the comments of sshwire.h.
#
#   awk -v directory=DIRECTORY -v version=0.1.0 -v date=2026-01-31 -f man.awk sshwire.h
#
# sshwire(3) is the introduction of the header with an index; each function, type and callback has a page of its own;
# constants stand on the page of the noun they begin with (SSH_KEY_... on ssh_key(3)).
#
# What is understood in comments: paragraphs, `code`, indented blocks as examples, lines that begin with "- " as items,
# and the tags @param and @return. What the header cannot hold need not be understood.

function escape(text) {
    gsub(/\\/, "\\e", text)
    # Names must be copied from a page as they are, so every hyphen is the one of ASCII.
    gsub(/-/, "\\-", text)
    gsub(/'/, "\\(aq", text)
    gsub(/\^/, "\\(ha", text)
    gsub(/~/, "\\(ti", text)
    if (text ~ /^\./) text = "\\&" text
    return text
}

# Text of a paragraph: functions and types in bold, with the section of their page; code in bold.
function prose(text,   result, before, word) {
    text = escape(text)
    gsub(/\\\(aq/, "'", text)
    result = ""
    while (match(text, /`[^`]*`|ssh_[a-z0-9_]+\(\)|SSH_[A-Z0-9_]+[A-Z0-9]/)) {
        before = substr(text, 1, RSTART - 1)
        word = substr(text, RSTART, RLENGTH)
        text = substr(text, RSTART + RLENGTH)
        if (word ~ /^`/) word = "\\fB" substr(word, 2, length(word) - 2) "\\fP"
        else if (word ~ /\(\)$/) word = "\\fB" substr(word, 1, length(word) - 2) "\\fP(3)"
        else word = "\\fB" word "\\fP"
        result = result before word
    }
    result = result text
    if (result ~ /^'/) result = "\\&" result
    return result
}

function say(line) { print line >page }

function open_page(name) {
    page = directory "/" name ".3"
    pages[name] = 1
    say(".\\\" Made from the comments of sshwire.h; changes made here are lost.")
    say(".TH " toupper(name) " 3 \"" date "\" \"libsshwire " version "\" \"Library Functions Manual\"")
    # A name that is cut in two is hard to read and cannot be copied.
    say(".nh")
}

# The first sentence, without its full stop, for the index and NAME.
function summary(text,   at) {
    gsub(/\n/, " ", text)
    sub(/  .*/, "", text)
    if (match(text, /[.:] |[.:]$/)) text = substr(text, 1, RSTART - 1)
    gsub(/`/, "", text)
    return text
}

# Paragraphs, examples and items of a comment. An empty line begins a paragraph.
function body(text,   count, lines, i, line, in_code, indent, fresh) {
    count = split(text, lines, "\n")
    in_code = 0
    fresh = 0
    for (i = 1; i <= count; i++) {
        line = lines[i]
        if (line ~ /^  / && (fresh || in_code || i == 1)) {
            if (!in_code) { say(".PP"); say(".RS 4"); say(".nf"); in_code = 1; match(line, /^ +/); indent = RLENGTH }
            say(escape(substr(line, indent + 1)))
        } else if (line == "") {
            fresh = 1
        } else {
            if (in_code) { say(".fi"); say(".RE"); in_code = 0; fresh = 1 }
            if (line ~ /^[-*] /) { say(".IP \\(bu 2"); line = substr(line, 3) }
            else if (fresh && i > 1) say(".PP")
            sub(/^ +/, "", line)
            say(prose(line))
            fresh = 0
        }
    }
    if (in_code) { say(".fi"); say(".RE") }
}

# The tail of a page that belongs to one noun.
function see_also(name, noun) {
    say(".SH SEE ALSO")
    if (noun != "" && noun != name) { say(".BR " noun " (3),") }
    say(".BR sshwire (3)")
}

# The longest type whose name a function or constant begins with.
function noun_of(name,   type, best) {
    best = ""
    for (type in opaque)
        if (index(name "_", type "_") == 1 && length(type) > length(best)) best = type
    return best
}

# Splits a comment into its text, parameters and result.
function take_apart(comment,   count, lines, i, line, where) {
    main_text = ""; result_text = ""; parameter_count = 0
    where = "main"
    count = split(comment, lines, "\n")
    for (i = 1; i <= count; i++) {
        line = lines[i]
        if (line ~ /^@param /) {
            where = "parameter"
            parameter_count++
            sub(/^@param +/, "", line)
            parameter_name[parameter_count] = line
            sub(/ .*/, "", parameter_name[parameter_count])
            sub(/^[^ ]+ */, "", line)
            parameter_text[parameter_count] = line
        } else if (line ~ /^@return /) {
            where = "result"
            sub(/^@return +/, "", line)
            result_text = line
        } else if (where == "main") {
            main_text = main_text (main_text == "" ? "" : "\n") line
        } else if (line == "") {
            # What follows an empty line after the tags is about the whole function.
            where = "after"
            main_text = main_text "\n"
        } else if (where == "after") {
            main_text = main_text "\n" line
        } else {
            sub(/^ +/, "", line)
            if (where == "parameter")
                parameter_text[parameter_count] = parameter_text[parameter_count] "\n" line
            else
                result_text = result_text "\n" line
        }
    }
}

function tagged_sections(   i) {
    if (parameter_count > 0) {
        say(".SH PARAMETERS")
        for (i = 1; i <= parameter_count; i++) {
            say(".TP")
            say(".I " parameter_name[i])
            body(parameter_text[i])
        }
    }
    if (result_text != "") {
        say(".SH RETURN VALUE")
        body(result_text)
    }
}

function synopsis(declaration,   count, lines, i) {
    say(".SH SYNOPSIS")
    say(".nf")
    say(".B #include <sshwire.h>")
    say(".PP")
    count = split(declaration, lines, "\n")
    for (i = 1; i <= count; i++) say("\\fB" escape(lines[i]) "\\fP")
    say(".fi")
}

# The page of a function or a callback type.
function function_page(name, comment, declaration) {
    take_apart(comment)
    summaries[name] = summary(main_text)
    open_page(name)
    say(".SH NAME")
    say(name " \\- " prose(summaries[name]))
    synopsis(declaration)
    say(".SH DESCRIPTION")
    body(main_text)
    tagged_sections()
    see_also(name, noun_of(name))
    close(page)
}

function constants_of(noun,   i, any) {
    any = 0
    for (i = 1; i <= constant_count; i++) {
        if (constant_noun(constant_name[i]) != noun) continue
        if (!any) { say(".SH CONSTANTS"); any = 1 }
        say(".TP")
        say("\\fB" escape(constant_name[i]) "\\fP (" escape(constant_value[i]) ")")
        body(constant_text[i])
    }
}

function constant_noun(name,   lower, noun) {
    if (name ~ /^SSH_(OK|EOF|AGAIN|PARTIAL)$|^SSH_(ERR|CLASS)_/) return "ssh_status"
    if (name ~ /^SSH_LOG_/) return "ssh_log_callback"
    if (name ~ /^SSH_EXIT_/) return "ssh_channel"
    if (name ~ /^SSH_PRESET_/) return "ssh_security_options"
    if (name ~ /^SSH_(TIMEOUT_KIND|ALGORITHM|STATISTIC)_/) return "ssh_transport"
    lower = tolower(name)
    return noun_of(lower)
}

function type_page(name, comment, declaration,   i, any) {
    take_apart(comment)
    summaries[name] = summary(main_text)
    open_page(name)
    say(".SH NAME")
    say(name " \\- " prose(summaries[name]))
    synopsis(declaration)
    say(".SH DESCRIPTION")
    body(main_text)
    constants_of(name)
    any = 0
    for (i = 1; i <= function_count; i++) {
        if (noun_of(function_name[i]) != name) continue
        if (!any) { say(".SH FUNCTIONS"); any = 1 }
        say(".TP")
        say(".BR " function_name[i] " (3)")
        take_apart(function_comment[i])
        say(prose(summary(main_text)))
    }
    see_also(name, "")
    close(page)
}

function introduction(   i) {
    open_page("sshwire")
    say(".SH NAME")
    say("sshwire \\- " prose(headline))
    say(".SH SYNOPSIS")
    say(".nf")
    say(".B #include <sshwire.h>")
    say(".PP")
    say("\\fBcc\\fP \\fIprogram.c\\fP \\fB$(pkg\\-config \\-\\-cflags \\-\\-libs sshwire)\\fP")
    say(".fi")
    say(".SH DESCRIPTION")
    conventions(preface)
    say(".SH TYPES")
    for (i = 1; i <= type_count; i++) {
        say(".TP")
        say(".BR " type_name[i] " (3)")
        say(prose(summaries[type_name[i]]))
    }
    say(".SH CALLBACKS")
    for (i = 1; i <= callback_count; i++) {
        say(".TP")
        say(".BR " callback_name[i] " (3)")
        say(prose(summaries[callback_name[i]]))
    }
    say(".SH FUNCTIONS")
    say("Those of a type stand on its page. Beside them there are:")
    for (i = 1; i <= function_count; i++) {
        if (noun_of(function_name[i]) != "") continue
        say(".TP")
        say(".BR " function_name[i] " (3)")
        say(prose(summaries[function_name[i]]))
    }
    constants_of("")
    say(".SH SEE ALSO")
    say(".BR ssh (1),")
    say(".BR pkg\\-config (1)")
    close(page)
}

# The introduction: a paragraph that begins with a word in capitals has it as its heading.
function conventions(text,   count, parts, i, word) {
    gsub(/\n\n+/, "\001", text)
    count = split(text, parts, "\001")
    for (i = 1; i <= count; i++) {
        if (match(parts[i], /^[A-Z][A-Z]+\.? /)) {
            word = substr(parts[i], 1, RLENGTH)
            gsub(/[. ]/, "", word)
            say(".SS " substr(word, 1, 1) tolower(substr(word, 2)))
            # "CALLBACKS take ..." needs its word in the sentence too.
            if (parts[i] ~ /^[A-Z]+\. /) sub(/^[A-Z]+\. /, "", parts[i])
            else parts[i] = substr(word, 1, 1) tolower(substr(word, 2)) substr(parts[i], length(word) + 1)
            body(parts[i])
        } else {
            if (i > 1 && parts[i] !~ /^    /) say(".PP")
            body(parts[i])
        }
    }
}

# One line of a comment without its frame.
function bare(line) {
    sub(/^ ?\*+\/?/, "", line)
    sub(/^ /, "", line)
    sub(/ *\*\/$/, "", line)
    return line
}

function keep(declaration,   name) {
    if (declaration ~ /^typedef struct/) {
        name = declaration; sub(/;.*/, "", name); sub(/.* /, "", name)
        opaque[name] = 1
        type_count++
        type_name[type_count] = name; type_comment[type_count] = comment; type_text[type_count] = declaration
    } else if (declaration ~ /^typedef .*\(\*/) {
        name = declaration; sub(/.*\(\*/, "", name); sub(/\).*/, "", name)
        callback_count++
        callback_name[callback_count] = name
        callback_comment[callback_count] = comment; callback_text[callback_count] = declaration
    } else if (declaration ~ /^typedef/) {
        name = declaration; sub(/;.*/, "", name); sub(/.* /, "", name)
        plain[name] = 1
        type_count++
        type_name[type_count] = name; type_comment[type_count] = comment; type_text[type_count] = declaration
    } else if (declaration ~ /\(/) {
        name = declaration; sub(/\(.*/, "", name); gsub(/\n/, " ", name); sub(/.*[ *]/, "", name)
        function_count++
        function_name[function_count] = name
        function_comment[function_count] = comment; function_text[function_count] = declaration
    }
    comment = ""
}

NR == 1 { in_preface = 1; next }
in_preface && /\*\// { in_preface = 0; next }
in_preface {
    line = bare($0)
    if (headline == "" && line ~ /^sshwire\.h - /) { headline = line; sub(/^sshwire\.h - /, "", headline); sub(/\.$/, "", headline) }
    else if (line !~ /^Generated from/) preface = preface (preface == "" ? "" : "\n") line
    next
}
# A record laid out openly ends with a line of its own.
/^typedef struct [a-z0-9_]+ \{/ { record = $0; next }
record != "" {
    if ($0 !~ /^ *\/?\*/) record = record "\n" $0
    if (/^\}/) { keep(record); record = "" }
    next
}
/^\/\*\*/ { in_comment = 1; comment = ""; next }
in_comment && /\*\// { in_comment = 0; next }
in_comment { comment = comment (comment == "" ? "" : "\n") bare($0); next }
/^#define SSH_/ {
    if ($2 ~ /^SSH_VERSION_(MAJOR|MINOR|PATCH)$/) next
    constant_count++
    constant_name[constant_count] = $2; constant_value[constant_count] = $3; constant_text[constant_count] = comment
    comment = ""
    next
}
/^#|^extern|^\}|^ *$/ { next }
{
    declaration = declaration (declaration == "" ? "" : "\n") $0
    if (/;$/) { keep(declaration); declaration = "" }
}

END {
    sub(/^\n+/, "", preface)
    for (i = 1; i <= function_count; i++) function_page(function_name[i], function_comment[i], function_text[i])
    for (i = 1; i <= callback_count; i++) callback_page(i)
    for (i = 1; i <= type_count; i++) type_page(type_name[i], type_comment[i], type_text[i])
    introduction()
}

# A callback's page; the log levels stand on the log callback's.
function callback_page(i) {
    take_apart(callback_comment[i])
    summaries[callback_name[i]] = summary(main_text)
    open_page(callback_name[i])
    say(".SH NAME")
    say(callback_name[i] " \\- " prose(summaries[callback_name[i]]))
    synopsis(callback_text[i])
    say(".SH DESCRIPTION")
    body(main_text)
    tagged_sections()
    constants_of(callback_name[i])
    see_also(callback_name[i], noun_of(callback_name[i]))
    close(page)
}
