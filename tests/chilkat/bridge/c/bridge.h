/* The pipes to Chilkat's own library: see ../serve.py. */
#pragma once
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define BOOL int
#define TRUE 1
#define FALSE 0

static FILE *bridge_asked, *bridge_told;
static char bridge_letter, *bridge_text;
static long bridge_number;

static void bridge_hex(const char *text)
{
    fputs(" s", bridge_asked);
    for (; *text; text++)
        fprintf(bridge_asked, "%02x", (unsigned char)*text);
}

static void bridge_hear(void)
{
    static char line[1 << 20];
    size_t place, end;
    if (!fgets(line, sizeof line, bridge_told))
        exit(71);
    end = strcspn(line, "\n");
    bridge_letter = line[0];
    bridge_number = atol(line + 1);
    if (bridge_letter != 's' && bridge_letter != 'e')
        return;
    bridge_text = (char *)calloc(end + 1, 1);
    for (place = 1; place < end; place += 2) {
        unsigned int code;
        sscanf(line + place, "%2x", &code);
        bridge_text[place / 2] = (char)code;
    }
    if (bridge_letter == 'e') {
        fprintf(stderr, "%s\n", bridge_text);
        exit(70);
    }
}

/* Kinds of the values behind: s char, w wchar_t, i and b int, o a number of an object. */
static long bridge(const char *verb, long object, const char *name, const char *kinds, ...)
{
    va_list values;
    if (!bridge_asked) {
        setlocale(LC_CTYPE, "C.UTF-8");
        bridge_asked = fopen(getenv("CHILKAT_ASK"), "w");
        bridge_told = fopen(getenv("CHILKAT_TOLD"), "r");
    }
    fprintf(bridge_asked, object ? "%s %ld %s" : "%s%.0ld %s", verb, object, name);
    va_start(values, kinds);
    for (; *kinds; kinds++) {
        if (*kinds == 's') {
            bridge_hex(va_arg(values, const char *));
        } else if (*kinds == 'w') {
            char narrow[65536];
            wcstombs(narrow, va_arg(values, const wchar_t *), sizeof narrow);
            bridge_hex(narrow);
        } else if (*kinds == 'o') {
            fprintf(bridge_asked, " o%ld", va_arg(values, long));
        } else {
            fprintf(bridge_asked, " %c%d", *kinds, va_arg(values, int));
        }
    }
    va_end(values);
    fputc('\n', bridge_asked);
    fflush(bridge_asked);
    bridge_hear();
    return bridge_letter == 'n' ? 0 : bridge_number;
}

static const char *bridge_narrow(void) { return bridge_letter == 's' ? bridge_text : NULL; }

static const wchar_t *bridge_wide(void)
{
    size_t size;
    wchar_t *wide;
    if (bridge_letter != 's')
        return NULL;
    size = strlen(bridge_text) + 1;
    wide = (wchar_t *)calloc(size, sizeof *wide);
    mbstowcs(wide, bridge_text, size);
    return wide;
}
