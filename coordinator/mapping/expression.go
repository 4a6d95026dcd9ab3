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
	copies   *variable // program is nil
	constant any       // program and copies are nil
	result   reflect.Type
	reads    []*variable
	unique   bool // firstUnique at the top: the outcome is a list of candidates
	now      bool // reads the time itself
}

// A variable is an attribute that expressions of one scope read. The machine
// knows it under a name that no function can have.
type variable struct {
	path string
	name string // "@" + path, or "@@" + path for all values
	kind directory.Kind
	all  bool // every value of a column, not the first alone
	slot int
	// machine: an expression reads it; else it is only copied.
	machine bool
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
	timeless  bool
	tables    map[string]map[string]string
	functions map[string]function

	variables []*variable
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
	v := &variable{path: path, name: name, kind: kind, all: all, slot: len(s.variables)}
	s.variables = append(s.variables, v)
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
	tree, err := parser.ParseWithConfig(text, config)
	if err != nil {
		return nil, []place{placeOf(err, text)}
	}

	r := rewriter{scope: s, source: text}
	if call, ok := tree.Node.(*ast.CallNode); ok && calls(call, "firstUnique") {
		r.unique = true
		if len(call.Arguments) == 0 {
			r.fault(call, "firstUnique wants at least one candidate", "")
		}
		list := &ast.ArrayNode{Nodes: call.Arguments}
		list.SetLocation(call.Location())
		tree.Node = list
	}
	r.rewrite(&tree.Node)
	if len(r.faults) > 0 {
		return nil, r.faults
	}

	env := map[string]any{"@now": time.Time{}, "@clock": (*Clock)(nil)}
	for _, v := range r.reads {
		env[v.name] = v.kind.Zero()
	}
	config.WithEnv(env)
	config.Strict = true
	result, err := checker.Check(tree, config)
	if err != nil {
		return nil, []place{placeOf(err, text)}
	}
	e := &expression{text: text, result: result, reads: r.reads, unique: r.unique, now: r.now}
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
	if err := optimizer.Optimize(&tree.Node, config); err != nil {
		return nil, []place{placeOf(err, text)}
	}
	if e.program, err = compiler.Compile(tree, config); err != nil {
		return nil, []place{placeOf(err, text)}
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

// quoteHint is for those who write a text where an expression is wanted.
const quoteHint = `text stands in double quotes inside the YAML quotes: '"Staff"'`

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

func calls(call *ast.CallNode, name string) bool {
	id, ok := call.Callee.(*ast.IdentifierNode)
	return ok && id.Value == name
}

// A rewriter turns the names that people write into the machine's variables,
// and finds those that there are not.
type rewriter struct {
	*scope
	source string
	locals []string
	reads  []*variable
	faults []place
	unique bool
	now    bool
}

func (r *rewriter) fault(n ast.Node, message, hint string) {
	r.faults = append(r.faults, place{n.Location().From, message, hint})
}

// read puts the variable of path where node is.
func (r *rewriter) read(node *ast.Node, path string, all bool) {
	v := r.variable(path, all)
	if v == nil {
		hint := suggest(path, r.paths())
		if hint == "" {
			hint = quoteHint
		}
		r.fault(root(*node), fmt.Sprintf("a person has no attribute %s", path), hint)
		return
	}
	if !slices.Contains(r.reads, v) {
		r.reads = append(r.reads, v)
	}
	put(node, &ast.IdentifierNode{Value: v.name})
}

// root gives the node that a chain of members begins with.
func root(n ast.Node) ast.Node {
	for {
		m, ok := n.(*ast.MemberNode)
		if !ok {
			return n
		}
		n = m.Node
	}
}

// put replaces *node and keeps its place.
func put(node *ast.Node, by ast.Node) {
	by.SetLocation((*node).Location())
	*node = by
}

func (r *rewriter) rewrite(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if slices.Contains(r.locals, n.Value) {
			return
		}
		if _, ok := r.functions[n.Value]; ok && r.kind(n.Value) == 0 {
			r.fault(n, fmt.Sprintf("%s is a function and wants its arguments in parentheses", n.Value), "")
			return
		}
		r.read(node, n.Value, false)
	case *ast.MemberNode:
		if path, ok := dotted(n); ok && !slices.Contains(r.locals, strings.SplitN(path, ".", 2)[0]) {
			if r.row {
				path = strings.TrimPrefix(path, "row.")
			}
			r.read(node, path, false)
			return
		}
		r.rewrite(&n.Node)
		if _, name := n.Property.(*ast.StringNode); !name {
			r.rewrite(&n.Property)
		}
	case *ast.CallNode:
		r.call(node, n)
	case *ast.VariableDeclaratorNode:
		r.rewrite(&n.Value)
		r.locals = append(r.locals, n.Name)
		r.rewrite(&n.Expr)
		r.locals = r.locals[:len(r.locals)-1]
	default:
		for _, child := range children(*node) {
			r.rewrite(child)
		}
	}
}

func (r *rewriter) call(node *ast.Node, n *ast.CallNode) {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		r.fault(n, "only functions by their name can be called", "")
		return
	}
	if r.timeless && (id.Value == "now" || id.Value == "reached") {
		r.fault(n, id.Value+" has no place in a source: what it gives would stand still until the record changes", "use it in the target's rules")
		return
	}
	switch id.Value {
	case "now":
		r.now = true
		put(node, &ast.IdentifierNode{Value: "@now"})
		return
	case "reached":
		clock := &ast.IdentifierNode{Value: "@clock"}
		clock.SetLocation(n.Location())
		defer func() { n.Arguments = append([]ast.Node{clock}, n.Arguments...) }()
	case "firstUnique":
		r.fault(n, "firstUnique must be the whole expression", "write what else is done to the value inside its arguments")
		return
	case "values":
		if path, ok := columnOf(n); ok && r.row {
			r.read(node, path, true)
			return
		}
		r.fault(n, "values wants the name of a column, and is for sources only", "")
		return
	case "lookup":
		if !r.table(n) {
			return
		}
	default:
		if _, ok := r.functions[id.Value]; !ok {
			r.fault(id, fmt.Sprintf("there is no function %s", id.Value), suggest(id.Value, Functions()))
		}
	}
	for i := range n.Arguments {
		if _, done := n.Arguments[i].(*ast.ConstantNode); !done {
			r.rewrite(&n.Arguments[i])
		}
	}
}

// table puts the table in the place of its name.
func (r *rewriter) table(n *ast.CallNode) bool {
	if len(n.Arguments) == 0 {
		return true // the checker tells
	}
	name, ok := n.Arguments[0].(*ast.StringNode)
	if !ok {
		r.fault(n.Arguments[0], "lookup wants the name of a table in double quotes", "")
		return false
	}
	table, ok := r.tables[name.Value]
	if !ok {
		names := make([]string, 0, len(r.tables))
		for n := range r.tables {
			names = append(names, n)
		}
		hint := suggest(name.Value, names)
		if hint == "" {
			hint = "declare it under tables"
		}
		r.fault(name, fmt.Sprintf("the document has no table %s", name.Value), hint)
		return false
	}
	put(&n.Arguments[0], &ast.ConstantNode{Value: table})
	return true
}

func columnOf(n *ast.CallNode) (string, bool) {
	if len(n.Arguments) != 1 {
		return "", false
	}
	if id, ok := n.Arguments[0].(*ast.IdentifierNode); ok {
		return id.Value, true
	}
	m, ok := n.Arguments[0].(*ast.MemberNode)
	if !ok {
		return "", false
	}
	path, ok := dotted(m)
	return strings.TrimPrefix(path, "row."), ok
}

// dotted gives the path that a chain of members spells: name.givenName, or
// row["Employee ID"].
func dotted(n *ast.MemberNode) (string, bool) {
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return "", false
	}
	switch inner := n.Node.(type) {
	case *ast.IdentifierNode:
		return inner.Value + "." + property.Value, true
	case *ast.MemberNode:
		path, ok := dotted(inner)
		return path + "." + property.Value, ok
	}
	return "", false
}

// children gives the places of a node's parts.
func children(node ast.Node) []*ast.Node {
	slots := func(list []ast.Node) (out []*ast.Node) {
		for i := range list {
			out = append(out, &list[i])
		}
		return out
	}
	switch n := node.(type) {
	case *ast.UnaryNode:
		return []*ast.Node{&n.Node}
	case *ast.BinaryNode:
		return []*ast.Node{&n.Left, &n.Right}
	case *ast.ChainNode:
		return []*ast.Node{&n.Node}
	case *ast.SliceNode:
		out := []*ast.Node{&n.Node}
		if n.From != nil {
			out = append(out, &n.From)
		}
		if n.To != nil {
			out = append(out, &n.To)
		}
		return out
	case *ast.BuiltinNode:
		return slots(n.Arguments)
	case *ast.PredicateNode:
		return []*ast.Node{&n.Node}
	case *ast.SequenceNode:
		return slots(n.Nodes)
	case *ast.ConditionalNode:
		return []*ast.Node{&n.Cond, &n.Exp1, &n.Exp2}
	case *ast.ArrayNode:
		return slots(n.Nodes)
	case *ast.MapNode:
		return slots(n.Pairs)
	case *ast.PairNode:
		return []*ast.Node{&n.Key, &n.Value}
	}
	return nil
}
