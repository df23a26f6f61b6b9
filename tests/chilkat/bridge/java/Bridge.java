// The pipes to Chilkat's own library: see ../serve.py.
package com.chilkatsoft;

import java.io.*;
import java.nio.charset.StandardCharsets;

class Bridge {
    private static Writer asked;
    private static BufferedReader told;
    private static String rest;

    static Object ask(String verb, long object, String name, Object... values) {
        try {
            if (asked == null) {
                asked = new FileWriter(System.getenv("CHILKAT_ASK"));
                told = new BufferedReader(new FileReader(System.getenv("CHILKAT_TOLD")));
            }
            StringBuilder line = new StringBuilder(verb).append(object == 0 ? "" : " " + object).append(' ').append(name);
            for (Object value : values) {
                line.append(' ').append(written(value));
            }
            asked.write(line.append('\n').toString());
            asked.flush();
            return heard(told.readLine());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Object heard(String answer) {
        rest = answer.substring(1);
        switch (answer.charAt(0)) {
            case 'e': throw new IllegalStateException(text(rest));
            case 's': return text(rest);
            case 'b': return rest.equals("1");
            case 'i': return Integer.valueOf(rest);
            case 'o': return Long.valueOf(rest.split(" ")[0]);
            default: return null;
        }
    }

    private static String written(Object value) {
        if (value instanceof Boolean) {
            return (Boolean) value ? "b1" : "b0";
        }
        if (value instanceof Integer) {
            return "i" + value;
        }
        if (value instanceof Long) {
            return "o" + value;
        }
        StringBuilder hex = new StringBuilder("s");
        for (byte each : ((String) value).getBytes(StandardCharsets.UTF_8)) {
            hex.append(String.format("%02x", each));
        }
        return hex.toString();
    }

    private static String text(String hex) {
        byte[] bytes = new byte[hex.length() / 2];
        for (int place = 0; place < bytes.length; place++) {
            bytes[place] = (byte) Integer.parseInt(hex.substring(2 * place, 2 * place + 2), 16);
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
