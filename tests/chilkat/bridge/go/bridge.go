// Package chilkat stands in for Chilkat's package: see ../serve.py.
package chilkat

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

type numbered interface{ number() int }

var asked *os.File
var told *bufio.Reader

func ask(verb string, object int, name string, values ...interface{}) interface{} {
	if asked == nil {
		asked, _ = os.OpenFile(os.Getenv("CHILKAT_ASK"), os.O_WRONLY, 0)
		pipe, _ := os.Open(os.Getenv("CHILKAT_TOLD"))
		told = bufio.NewReaderSize(pipe, 1<<20)
	}
	line := verb
	if object != 0 {
		line += fmt.Sprintf(" %d", object)
	}
	line += " " + name
	for _, value := range values {
		line += " " + written(value)
	}
	fmt.Fprintln(asked, line)
	answer, _ := told.ReadString('\n')
	rest := strings.TrimSpace(answer[1:])
	switch answer[0] {
	case 'e':
		text, _ := hex.DecodeString(rest)
		panic(string(text))
	case 's':
		text, _ := hex.DecodeString(rest)
		return string(text)
	case 'b':
		return rest == "1"
	case 'i', 'o':
		var number int
		fmt.Sscan(rest, &number)
		return number
	}
	return nil
}

func written(value interface{}) string {
	switch given := value.(type) {
	case bool:
		if given {
			return "b1"
		}
		return "b0"
	case int:
		return fmt.Sprintf("i%d", given)
	case numbered:
		return fmt.Sprintf("o%d", given.number())
	}
	return "s" + hex.EncodeToString([]byte(value.(string)))
}
