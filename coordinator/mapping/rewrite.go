package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/mapping/entra"
)

// A rewriter turns the names that people write into the machine's variables,
// and finds those that there are not.
type rewriter struct {
	*scope
	source string
	locals []string
	reads  []*variable
	faults []place
	notes  []place
	tries  []*ast.Node // calls, the inner ones first
	uses
}

// unwrap takes off the functions that stand around a whole expression.
func (r *rewriter) unwrap(node *ast.Node) {
	for {
		call, ok := (*node).(*ast.CallNode)
		if !ok {
			return
		}
		switch id, _ := call.Callee.(*ast.IdentifierNode); {
		case id == nil:
			return
		case (id.Value == "IgnoreFlowIfNullOrEmpty" || id.Value == "Redact") && len(call.Arguments) == 1:
			r.silent = r.silent || id.Value == "IgnoreFlowIfNullOrEmpty"
			r.redacted = r.redacted || id.Value == "Redact"
			*node = call.Arguments[0]
		case id.Value == "firstUnique", id.Value == "SelectUniqueValue", id.Value == "unique":
			r.unique, r.exact, r.pattern = true, id.Value == "SelectUniqueValue", id.Value == "unique"
			if len(call.Arguments) == 0 {
				r.fault(call, id.Value+" wants at least one candidate", "")
			}
			put(node, &ast.ArrayNode{Nodes: call.Arguments})
			return
		default:
			return
		}
	}
}

func (r *rewriter) fault(n ast.Node, message, hint string) {
	r.faults = append(r.faults, place{n.Location().From, message, hint})
}

// quoteHint is for those who write a text where an expression is wanted.
const quoteHint = `text stands in double quotes inside the YAML quotes: '"Staff"'`

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
	if r.timeless && (id.Value == "now" || id.Value == "Now" || id.Value == "reached") {
		r.fault(n, id.Value+" has no place in a source: what it gives would stand still until the record changes", "use it in the target's rules")
		return
	}
	switch id.Value {
	case "now":
		r.now = true
		put(node, &ast.IdentifierNode{Value: "@now"})
		return
	case "Now": // as Entra prints it
		r.now = true
		n.Callee.(*ast.IdentifierNode).Value = "CDate"
		n.Arguments = []ast.Node{&ast.IdentifierNode{Value: "@now"}}
		return
	case "DefaultDomain":
		if r.defaultDomain == "" {
			r.fault(n, "the document has no default_domain", "write it beside time_zone")
			return
		}
		put(node, &ast.StringNode{Value: r.defaultDomain})
		return
	case "reached":
		clock := &ast.IdentifierNode{Value: "@clock"}
		clock.SetLocation(n.Location())
		defer func() { n.Arguments = append([]ast.Node{clock}, n.Arguments...) }()
	case "inGroup":
		if r.row {
			r.fault(n, "inGroup is for targets only", "a source has no account to ask of")
			return
		}
		r.groups = true
		groups := &ast.IdentifierNode{Value: "@groups"}
		groups.SetLocation(n.Location())
		defer func() { n.Arguments = append([]ast.Node{groups}, n.Arguments...) }()
	case "try":
		if len(n.Arguments) != 2 {
			r.fault(n, "try wants what may fail, and what to give then", "")
			return
		}
		defer func() { r.tries = append(r.tries, node) }()
	case "firstUnique", "unique", "SelectUniqueValue", "IgnoreFlowIfNullOrEmpty", "Redact":
		r.fault(n, id.Value+" must be the whole expression", "write what else is done to the value inside its arguments")
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
		if slices.Contains(entra.Random, id.Value) {
			if r.random = true; r.timeless {
				r.fault(n, id.Value+" has no place in a source: it would give another value with each read", "use it in a target's rule with apply: create")
			}
		}
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
