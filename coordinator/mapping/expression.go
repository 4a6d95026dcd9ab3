package mapping

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/optimizer"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// An expression is one rule's text, compiled. One that only copies an
// attribute, or is a text, never enters the virtual machine.
type expression struct {
	text         string
	line, column int // of its first character in the document

	program  *vm.Program
	direct   textOf    // nil, or gives what the program gives
	copies   *variable // program is nil
	constant any       // program and copies are nil
	result   reflect.Type
	reads    []*variable
	uses
}

// uses tells what of an expression is not in its outcome alone.
type uses struct {
	unique   bool // firstUnique at the top: the outcome is a list of candidates
	pattern  bool // unique at the top: unique, and braces say where the number goes
	groups   bool // asks for memberships of the account
	exact    bool // SelectUniqueValue: unique, and no candidate gets a number
	now      bool // reads the time itself
	random   bool // gives another value each time
	silent   bool // IgnoreFlowIfNullOrEmpty at the top: no outcome says nothing
	redacted bool // Redact at the top: the value is not for people's eyes
}

// A variable is an attribute that expressions of one scope read. The machine
// knows it under a name that no function can have.
type variable struct {
	path string
	name string // "@" + path, or "@@" + path for all values
	kind directory.Kind
	all  bool // every value of a column, not the first alone
	slot int
	// machine: the virtual machine reads it.
	machine bool
	account bool // it is what the account itself has
}

// A scope is what the expressions of one side of a document may name.
type scope struct {
	// kind gives the type of the attribute at path, 0 where there is none.
	kind func(path string) directory.Kind
	// paths gives all known paths, for suggestions; nil: any column may be.
	paths func() []string
	// row: attributes are columns of an object, also called row.column.
	row bool
	// timeless: now and reached are no use here.
	timeless      bool
	defaultDomain string // what DefaultDomain gives; "" where the document has none
	tables        map[string]map[string]string
	functions     map[string]function
	notes         []place // of the last expression compiled: what is odd but allowed

	variables []*variable
	ascending []*variable // the same by path
}

func (s *scope) variable(path string, all bool) *variable {
	name := "@" + path
	if all {
		name = "@@" + path
	}
	for _, v := range s.variables {
		if v.name == name {
			return v
		}
	}
	kind := s.kind(path)
	if all {
		kind = directory.List
	}
	if kind == 0 {
		return nil
	}
	v := &variable{path: path, name: name, kind: kind, all: all, slot: len(s.variables), account: strings.HasPrefix(path, accountPrefix)}
	s.variables = append(s.variables, v)
	at, _ := slices.BinarySearchFunc(s.ascending, path, func(v *variable, p string) int { return strings.Compare(v.path, p) })
	s.ascending = slices.Insert(s.ascending, at, v)
	return v
}

// A place marks a fault within an expression.
type place struct {
	at      int // character, from 0
	message string
	hint    string
}

// compile compiles text. want is the kind of outcome, 0 for any.
func (s *scope) compile(text string, want directory.Kind) (*expression, []place) {
	config := conf.CreateNew()
	for name := range config.Builtins {
		if !slices.Contains(builtins, name) {
			config.Disabled[name] = true
		}
	}
	for name := range config.Disabled {
		delete(config.Builtins, name)
	}
	for name, f := range s.functions {
		config.Functions[name] = f.table(name)
	}
	config.Functions["reached"] = function{[]any{new(func(*Clock, time.Time) bool)}, reached}.table("reached")
	config.Functions["inGroup"] = function{[]any{new(func(*groups, string) bool)}, inGroup}.table("inGroup")
	s.notes = nil
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, []place{placeOf(err, text)}
	}

	r := rewriter{scope: s, source: text}
	r.spell(&tree.Node)
	r.unwrap(&tree.Node)
	r.rewrite(&tree.Node)
	if len(r.faults) > 0 {
		return nil, r.faults
	}

	env := map[string]any{"@now": time.Time{}, "@clock": (*Clock)(nil), "@groups": (*groups)(nil), "@vars": map[string]any(nil)}
	for _, v := range r.reads {
		env[v.name] = v.kind.Zero()
	}
	config.WithEnv(env)
	config.Strict = true
	if p := tries(r.tries, config, text); p != nil {
		return nil, []place{*p}
	}
	s.notes = r.notes
	result, err := checker.Check(tree, config)
	if err != nil {
		return nil, []place{placeOf(err, text)}
	}
	e := &expression{text: text, result: result, reads: r.reads, uses: r.uses}
	if p := e.check(want); p != nil {
		return nil, []place{*p}
	}
	if id, ok := tree.Node.(*ast.IdentifierNode); ok {
		for _, v := range r.reads {
			if v.name == id.Value {
				e.copies = v
				return e, nil
			}
		}
	}
	if str, ok := tree.Node.(*ast.StringNode); ok {
		e.constant = str.Value
		return e, nil
	}
	if b, ok := tree.Node.(*ast.BoolNode); ok {
		e.constant = b.Value
		return e, nil
	}
	inGo := direct(tree.Node, r.reads) // before the optimizer takes it apart
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, []place{placeOf(err, text)}
	}
	if e.program, err = compiler.Compile(tree, config); err != nil {
		return nil, []place{placeOf(err, text)}
	}
	if e.direct = inGo; e.direct != nil {
		return e, nil
	}
	for _, v := range e.reads {
		v.machine = true
	}
	return e, nil
}

// check tells whether the outcome can be of the kind wanted.
func (e *expression) check(want directory.Kind) *place {
	got := e.kind()
	switch {
	case e.unique && want != 0 && want != directory.Text:
		return &place{0, "firstUnique gives text, but " + want.String() + " is wanted here", ""}
	case e.unique, want == 0, got == want, got == 0:
		return nil
	case want == directory.List && got == directory.Text:
		return nil // a list of one
	case got == directory.Text && e.program == nil && len(e.reads) == 1 && want != directory.List:
		return nil // a copied column is read as what it must be
	}
	hint := map[directory.Kind]string{
		directory.Instant: "use date(…)", directory.Boolean: `compare, such as status == "A", or use boolean(…)`,
		directory.Text: "use text(…)", directory.Integer: "use integer(…)",
	}[want]
	return &place{0, fmt.Sprintf("the expression gives %s, but %s is wanted here", cmpKind(got), want), hint}
}

func cmpKind(k directory.Kind) string {
	if k == 0 {
		return "something else"
	}
	return k.String()
}

// kind is that of the outcome; 0: not known before it is evaluated.
func (e *expression) kind() directory.Kind {
	switch t := e.result; {
	case t == nil || t.Kind() == reflect.Interface:
		return 0
	case t == reflect.TypeFor[time.Time]():
		return directory.Instant
	case t.Kind() == reflect.String:
		return directory.Text
	case t.Kind() == reflect.Bool:
		return directory.Boolean
	case t.Kind() == reflect.Slice:
		return directory.List
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Int64:
		return directory.Integer
	}
	return 0
}

// placeOf takes the place out of an error of the expression language.
func placeOf(err error, text string) place {
	var f *file.Error
	if errors.As(err, &f) {
		p := place{at: min(f.From, len([]rune(text))), message: strings.TrimSpace(f.Message)}
		if !strings.Contains(text, `"`) && strings.Contains(text, "=") {
			p.hint = quoteHint
		}
		return p
	}
	return place{message: err.Error()}
}
