// Writes the Unicode tables of Go's package unicode for the regular expressions of src/tidegate/base/regexp:
//
//	go run tools/unicode_tables.go > src/tidegate/base/regexp/unicode_tables.py
//
// A table is runs over all code points, in order: varint length, one byte for the value. The folds are pairs: varint
// distance from the one before, zigzag varint distance to the next of the orbit. All are zlib-compressed, in base64.
package main

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"slices"
	"sort"
	"strings"
	"unicode"
)

const width = 100

func main() {
	var minors, scripts []string
	for name := range unicode.Categories {
		if len(name) == 2 && name != "LC" {
			minors = append(minors, name)
		}
	}
	for name := range unicode.Scripts {
		scripts = append(scripts, name)
	}
	sort.Strings(minors)
	sort.Strings(scripts)
	checkMajors(minors)
	fmt.Println(`"""Unicode's categories, scripts and case folds, as Go's package unicode has them. Pure data.`)
	fmt.Println()
	fmt.Println("Written by tools/unicode_tables.go, which tells the form; don't edit.")
	fmt.Println(`"""`)
	fmt.Println()
	fmt.Printf("VERSION = %q\n", unicode.Version)
	words("CATEGORY_NAMES", minors)
	blob("CATEGORY_RUNS", runs(minors, unicode.Categories))
	words("SCRIPT_NAMES", scripts)
	blob("SCRIPT_RUNS", runs(append([]string{""}, scripts...), unicode.Scripts))
	blob("FOLDS", folds())
	var aliases []string
	for name, category := range unicode.CategoryAliases {
		aliases = append(aliases, name+"="+category)
	}
	sort.Strings(aliases)
	words("CATEGORY_ALIASES", aliases)
}

// checkMajors ends the program unless L is Lu, Ll, …, and LC is Lu, Ll, Lt: the reader relies on it.
func checkMajors(minors []string) {
	for name, table := range unicode.Categories {
		for code := rune(0); code <= unicode.MaxRune; code++ {
			in := false
			for _, minor := range minors {
				member := strings.HasPrefix(minor, name) || name == "LC" && slices.Contains([]string{"Lu", "Ll", "Lt"}, minor)
				in = in || member && unicode.Is(unicode.Categories[minor], code)
			}
			if in != unicode.Is(table, code) {
				log.Fatalf("%s is not the union of its parts at %#x", name, code)
			}
		}
	}
}

// runs gives each code point the index of the table that it is in; the name "" stands for none.
func runs(names []string, tables map[string]*unicode.RangeTable) []byte {
	values := make([]byte, unicode.MaxRune+1)
	for index, name := range names {
		for code := rune(0); name != "" && code <= unicode.MaxRune; code++ {
			if unicode.Is(tables[name], code) {
				values[code] = byte(index)
			}
		}
	}
	var out []byte
	for start := 0; start < len(values); {
		end := start
		for end < len(values) && values[end] == values[start] {
			end++
		}
		out = append(binary.AppendUvarint(out, uint64(end-start)), values[start])
		start = end
	}
	return out
}

func folds() []byte {
	var out []byte
	last := rune(0)
	for code := rune(0); code <= unicode.MaxRune; code++ {
		if next := unicode.SimpleFold(code); next != code {
			out = binary.AppendUvarint(out, uint64(code-last))
			out = binary.AppendVarint(out, int64(next-code))
			last = code
		}
	}
	return out
}

func words(name string, values []string) {
	fmt.Printf("%s = (\n", name)
	line := ""
	for index, value := range values {
		if len(line)+len(value) >= width {
			fmt.Printf("    %q\n", line)
			line = ""
		}
		line += value
		if index < len(values)-1 {
			line += " "
		}
	}
	fmt.Printf("    %q\n)\n", line)
}

func blob(name string, data []byte) {
	var packed bytes.Buffer
	writer, err := zlib.NewWriterLevel(&packed, zlib.BestCompression)
	if err != nil {
		log.Fatal(err)
	}
	writer.Write(data)
	writer.Close()
	text := base64.StdEncoding.EncodeToString(packed.Bytes())
	fmt.Printf("%s = (\n", name)
	for len(text) > width {
		fmt.Printf("    %q\n", text[:width])
		text = text[width:]
	}
	fmt.Printf("    %q\n)\n", text)
}
