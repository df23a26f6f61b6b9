// The pipes to Chilkat's own library: see ../serve.py.
using System;
using System.IO;
using System.Linq;
using System.Text;

public static class Debug {
    public static void WriteLine(string text) { Console.WriteLine(text); }
}

public class Numbered {
    public long Number;
}

public static class Bridge {
    static readonly StreamWriter asked = new StreamWriter(
        new FileStream(Environment.GetEnvironmentVariable("CHILKAT_ASK"), FileMode.Open, FileAccess.Write));
    static readonly StreamReader told = new StreamReader(
        new FileStream(Environment.GetEnvironmentVariable("CHILKAT_TOLD"), FileMode.Open, FileAccess.Read));

    public static object Ask(string verb, long target, string name, params object[] values) {
        string line = verb + (target == 0 ? "" : " " + target) + " " + name;
        asked.WriteLine(line + string.Concat(values.Select(value => " " + Written(value))));
        asked.Flush();
        string answer = told.ReadLine(), rest = answer.Substring(1);
        switch (answer[0]) {
            case 'e': throw new Exception(Text(rest));
            case 's': return Text(rest);
            case 'b': return rest == "1";
            case 'i': return int.Parse(rest);
            case 'o': return long.Parse(rest.Split(' ')[0]);
            default: return null;
        }
    }

    static string Written(object value) {
        if (value is bool) return (bool)value ? "b1" : "b0";
        if (value is int) return "i" + value;
        if (value is Numbered) return "o" + ((Numbered)value).Number;
        return "s" + string.Concat(Encoding.UTF8.GetBytes((string)value).Select(one => one.ToString("x2")));
    }

    static string Text(string hex) {
        return Encoding.UTF8.GetString(
            Enumerable.Range(0, hex.Length / 2).Select(at => Convert.ToByte(hex.Substring(at * 2, 2), 16)).ToArray());
    }
}
