package main

import (
	"fmt"

	"azulejo/condition"
	"azulejo/datatype"
	"azulejo/schema"
)

var operators = map[string]condition.Op{
	"lt": condition.LT, "le": condition.LE, "gt": condition.GT, "ge": condition.GE, "eq": condition.EQ, "ne": condition.NE,
	"in": condition.In, "not_in": condition.NotIn,
}

// buildCondition returns the condition of a tree of the manifest: {"and"|"or": [..]}, {"not": ..} or
// {field, op, value, value_type?, use_enumeration?}; a null value asks for null.
func buildCondition(s *schema.Array, tree map[string]any) (*condition.Node, error) {
	for key, op := range map[string]condition.Op{"and": condition.And, "or": condition.Or, "not": condition.Not} {
		parts, ok := tree[key]
		if !ok {
			continue
		}
		list, ok := parts.([]any)
		if !ok {
			list = []any{parts}
		}
		out := &condition.Node{Op: op}
		for _, p := range list {
			sub, ok := p.(map[string]any)
			if !ok {
				return nil, fmt.Errorf("condition %v", p)
			}
			child, err := buildCondition(s, sub)
			if err != nil {
				return nil, err
			}
			out.Children = append(out.Children, child)
		}
		return out, nil
	}
	return buildComparison(s, tree)
}

func buildComparison(s *schema.Array, leaf map[string]any) (*condition.Node, error) {
	name, _ := leaf["field"].(string)
	f, ok := s.Field(name)
	if !ok {
		return nil, fmt.Errorf("condition on unknown field %q", name)
	}
	t := f.Type
	if text, ok := leaf["value_type"].(string); ok {
		var err error
		if t, err = parseType(text); err != nil {
			return nil, err
		}
	}
	opName, _ := leaf["op"].(string)
	op, ok := operators[opName]
	if !ok {
		return nil, fmt.Errorf("condition operator %q", opName)
	}
	out := &condition.Node{Op: op, Field: name, UseEnumeration: true}
	if use, ok := leaf["use_enumeration"].(bool); ok {
		out.UseEnumeration = use
	}
	var err error
	switch value := leaf["value"].(type) {
	case nil:
		out.Null = true
	case []any:
		err = buildMembers(out, t, value)
	default:
		out.Value, err = pack(t, value)
	}
	return out, err
}

// buildMembers sets the members of a set test.
func buildMembers(n *condition.Node, t datatype.Type, members []any) error {
	n.Value, n.Offsets = []byte{}, []uint64{}
	for _, m := range members {
		b, err := pack(t, m)
		if err != nil {
			return err
		}
		n.Offsets = append(n.Offsets, uint64(len(n.Value)))
		n.Value = append(n.Value, b...)
	}
	return nil
}
