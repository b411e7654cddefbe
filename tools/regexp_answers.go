// Asks Go's regexp for the answers that tests/base/regexp compares with:
//
//	go run tools/regexp_answers.go < tests/base/regexp/go_answers.jsonl > new      # asks every row's question again
//	go run tools/regexp_answers.go sets > tests/base/regexp/go_sets.jsonl          # named sets and escapes
//
// A row is {"pattern", "extract", "tags"}, then "out": what ExpandString makes of each tag that matches, with the tag's
// index, or "error". A set's row is the number of its code points and the first 16 digits of the SHA-256 of its ranges.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"regexp"
	"regexp/syntax"
	"sort"
	"unicode"
)

type row struct {
	Pattern string   `json:"pattern"`
	Extract string   `json:"extract"`
	Tags    []string `json:"tags"`
	Out     []any    `json:"out,omitempty"`
	Error   string   `json:"error,omitempty"`
}

type set struct {
	Pattern string `json:"pattern"`
	Size    int    `json:"size"`
	Ranges  string `json:"ranges"`
}

func main() {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if len(os.Args) > 1 && os.Args[1] == "sets" {
		for _, pattern := range setPatterns() {
			encoder.Encode(describe(pattern))
		}
		return
	}
	reader := bufio.NewReader(os.Stdin)
	decoder := json.NewDecoder(reader)
	for decoder.More() {
		var question row
		if err := decoder.Decode(&question); err != nil {
			log.Fatal(err)
		}
		encoder.Encode(answer(question))
	}
}

func answer(question row) row {
	question.Out, question.Error = nil, ""
	expression, err := regexp.Compile(question.Pattern)
	if err != nil {
		question.Error = err.Error()
		return question
	}
	for index, tag := range question.Tags {
		groups := expression.FindStringSubmatchIndex(tag)
		if groups != nil {
			text := string(expression.ExpandString(nil, question.Extract, tag, groups))
			question.Out = append(question.Out, []any{index, text})
		}
	}
	return question
}

func setPatterns() []string {
	names := []string{"Any", "Assigned", "ASCII"}
	for name := range unicode.Categories {
		names = append(names, name)
	}
	for name := range unicode.CategoryAliases {
		names = append(names, name)
	}
	for name := range unicode.Scripts {
		if _, err := syntax.Parse(`\p{`+name+`}`, syntax.Perl); err == nil {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var patterns []string
	for _, name := range names {
		patterns = append(patterns, `\p{`+name+`}`, `(?i)\P{`+name+`}`)
	}
	for _, class := range []string{"[[:alpha:]]", "[[:^alpha:]]", "[[:ascii:]]", "[[:blank:]]", "[[:cntrl:]]", "[[:digit:]]",
		"[[:graph:]]", "[[:lower:]]", "[[:print:]]", "[[:punct:]]", "[[:space:]]", "[[:upper:]]", "[[:word:]]", "[[:xdigit:]]",
		"[[:alnum:]]", `\d`, `\D`, `\s`, `\S`, `\w`, `\W`, "[a-z]", `[^k]`, `[\x{0}-\x{1e943}]`, `[α-ω]`, `[\x{10400}-\x{10420}]`} {
		patterns = append(patterns, class, "(?i)"+class)
	}
	return patterns
}

func describe(pattern string) set {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		log.Fatal(err)
	}
	expression := regexp.MustCompile(`\A` + pattern + `\z`)
	size, hash := 0, sha256.New()
	inside := false
	for code := rune(0); code <= unicode.MaxRune+1; code++ {
		in := code <= unicode.MaxRune && member(tree, expression, code)
		if in {
			size++
		}
		if in != inside {
			fmt.Fprintf(hash, "%d ", code)
			inside = in
		}
	}
	return set{pattern, size, fmt.Sprintf("%x", hash.Sum(nil))[:16]}
}

func member(tree *syntax.Regexp, expression *regexp.Regexp, code rune) bool {
	if 0xD800 <= code && code < 0xE000 { // no text has them
		return false
	}
	if tree.Op != syntax.OpCharClass {
		return expression.MatchString(string(code))
	}
	index := sort.Search(len(tree.Rune)/2, func(i int) bool { return code <= tree.Rune[2*i+1] })
	return 2*index < len(tree.Rune) && tree.Rune[2*index] <= code
}
