package mapping

import (
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/drawbridge-id/drawbridge/coordinator/directory"
)

// Most rules put texts together: attributes, what stands between them, a letter
// cut off, a case changed, one text or another by a comparison. Such a rule is
// made into Go functions that call each other, which takes about half as long as the
// virtual machine. They give what that gives; a rule of which any part is not known
// here goes by the machine as a whole.

type (
	textOf  func(*machine) string
	truthOf func(*machine) bool
)

// direct makes the functions of a checked expression that gives text; nil where it cannot.
func direct(n ast.Node, reads []*variable) textOf {
	d := directs{reads}
	return d.text(n)
}

type directs struct{ reads []*variable }

func (d directs) text(n ast.Node) textOf {
	switch n := n.(type) {
	case *ast.StringNode:
		s := n.Value
		return func(*machine) string { return s }
	case *ast.IdentifierNode:
		i := slices.IndexFunc(d.reads, func(v *variable) bool { return v.name == n.Value })
		if i < 0 || d.reads[i].kind != directory.Text {
			return nil
		}
		slot := d.reads[i].slot
		return func(e *machine) string { return e.state[slot].value.(string) }
	case *ast.BinaryNode:
		if n.Operator == "+" {
			return d.together(n)
		}
	case *ast.ConditionalNode:
		is, one, other := d.truth(n.Cond), d.text(n.Exp1), d.text(n.Exp2)
		if is == nil || one == nil || other == nil {
			return nil
		}
		return func(e *machine) string {
			if is(e) {
				return one(e)
			}
			return other(e)
		}
	case *ast.CallNode:
		return d.call(n)
	}
	return nil
}

// together gives the parts of a sum in a row.
func (d directs) together(n ast.Node) textOf {
	var parts []textOf
	var flatten func(ast.Node) bool
	flatten = func(n ast.Node) bool {
		if b, ok := n.(*ast.BinaryNode); ok && b.Operator == "+" {
			return flatten(b.Left) && flatten(b.Right)
		}
		part := d.text(n)
		parts = append(parts, part)
		return part != nil
	}
	if !flatten(n) {
		return nil
	}
	switch len(parts) {
	case 2:
		a, b := parts[0], parts[1]
		return func(e *machine) string { return a(e) + b(e) }
	case 3:
		a, b, c := parts[0], parts[1], parts[2]
		return func(e *machine) string { return a(e) + b(e) + c(e) }
	case 4:
		a, b, c, f := parts[0], parts[1], parts[2], parts[3]
		return func(e *machine) string { return a(e) + b(e) + c(e) + f(e) }
	}
	return func(e *machine) string {
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = p(e)
		}
		return strings.Join(texts, "")
	}
}

// ofText are the functions of one text that call nothing else.
var ofText = map[string]func(string) string{"lower": strings.ToLower, "toLower": strings.ToLower, "upper": strings.ToUpper, "toUpper": strings.ToUpper, "trim": strings.TrimSpace}

func (d directs) call(n *ast.CallNode) textOf {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) == 0 {
		return nil
	}
	of := d.text(n.Arguments[0])
	if of == nil {
		return nil
	}
	if f := ofText[id.Value]; f != nil && len(n.Arguments) == 1 {
		return func(e *machine) string { return f(of(e)) }
	}
	switch {
	case id.Value == "left" && len(n.Arguments) == 2:
		if size, ok := n.Arguments[1].(*ast.IntegerNode); ok {
			return func(e *machine) string { return left(of(e), size.Value) }
		}
	case id.Value == "replace" && len(n.Arguments) == 3:
		if what, by := d.text(n.Arguments[1]), d.text(n.Arguments[2]); what != nil && by != nil {
			return func(e *machine) string { return strings.ReplaceAll(of(e), what(e), by(e)) }
		}
	}
	return nil
}

func (d directs) truth(n ast.Node) truthOf {
	switch n := n.(type) {
	case *ast.UnaryNode:
		if is := d.truth(n.Node); is != nil && (n.Operator == "not" || n.Operator == "!") {
			return func(e *machine) bool { return !is(e) }
		}
	case *ast.BinaryNode:
		if a, b := d.text(n.Left), d.text(n.Right); a != nil && b != nil {
			switch n.Operator {
			case "==":
				return func(e *machine) bool { return a(e) == b(e) }
			case "!=":
				return func(e *machine) bool { return a(e) != b(e) }
			case "startsWith":
				return func(e *machine) bool { return strings.HasPrefix(a(e), b(e)) }
			case "endsWith":
				return func(e *machine) bool { return strings.HasSuffix(a(e), b(e)) }
			case "contains":
				return func(e *machine) bool { return strings.Contains(a(e), b(e)) }
			}
			return nil
		}
		if a, b := d.truth(n.Left), d.truth(n.Right); a != nil && b != nil {
			switch n.Operator {
			case "and", "&&":
				return func(e *machine) bool { return a(e) && b(e) }
			case "or", "||":
				return func(e *machine) bool { return a(e) || b(e) }
			}
		}
	}
	return nil
}
