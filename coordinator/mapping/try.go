package mapping

import (
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/checker"
	"github.com/expr-lang/expr/compiler"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// Arguments are evaluated before a function sees them, so that one that fails
// would fail the whole rule. The first argument of try is therefore a program
// of its own: it is compiled when the rule is, and run by a function that
// stands in its place and gives the second argument where it fails.

// tries turns the calls of try into functions of their own, the inner ones
// first, and says where one cannot be.
func tries(calls []*ast.Node, config *conf.Config, text string) *place {
	for i, node := range calls {
		call := (*node).(*ast.CallNode)
		tree := &parser.Tree{Node: call.Arguments[0]}
		result, err := checker.Check(tree, config)
		if err != nil {
			p := placeOf(err, text)
			p.hint = "what stands in try knows the names of no let and of no # around it"
			return &p
		}
		program, err := compiler.Compile(tree, config)
		if err != nil {
			p := placeOf(err, text)
			return &p
		}
		if result == nil {
			result = reflect.TypeFor[any]()
		}
		name := fmt.Sprintf("try@%d", i)
		config.Functions[name] = &builtin.Function{Name: name, Func: attempt(program), Types: []reflect.Type{
			reflect.FuncOf([]reflect.Type{reflect.TypeFor[map[string]any](), result}, []reflect.Type{result}, false)}}
		call.Callee.(*ast.IdentifierNode).Value = name
		vars := &ast.IdentifierNode{Value: "@vars"}
		vars.SetLocation(call.Location())
		call.Arguments[0] = vars
	}
	return nil
}

// attempts keeps machines for what stands in try.
var attempts = sync.Pool{New: func() any { return new(vm.VM) }}

func attempt(program *vm.Program) func(a ...any) (any, error) {
	return func(a ...any) (any, error) {
		m := attempts.Get().(*vm.VM)
		defer attempts.Put(m)
		value, err := m.Run(program, a[0])
		if err != nil {
			return a[1], nil
		}
		return value, nil
	}
}

// spell gives functions that are written in another case their name, and notes
// it: names tell nothing by their case but ours from Entra's.
func (r *rewriter) spell(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			if name := r.spelled(id.Value); name != id.Value {
				r.notes = append(r.notes, place{id.Location().From, fmt.Sprintf("%s is taken for %s", id.Value, name), "write " + name})
				id.Value = name
			}
		}
		for i := range n.Arguments {
			r.spell(&n.Arguments[i])
		}
	case *ast.VariableDeclaratorNode:
		r.spell(&n.Value)
		r.spell(&n.Expr)
	case *ast.MemberNode:
		r.spell(&n.Node)
	default:
		for _, child := range children(*node) {
			r.spell(child)
		}
	}
}

// spelled gives the function that a name in whatever case can only mean, else the name.
func (r *rewriter) spelled(name string) string {
	if _, ok := r.functions[name]; ok {
		return name
	}
	found := ""
	for _, f := range Functions() {
		switch {
		case f == name:
			return name
		case strings.EqualFold(f, name) && found != "":
			return name
		case strings.EqualFold(f, name):
			found = f
		}
	}
	if found == "" {
		return name
	}
	return found
}
