package capjson

import (
	"fmt"
	"sync"

	capnplib "capnproto.org/go/capnp/v3"
	"capnproto.org/go/capnp/v3/schemas"
	"capnproto.org/go/capnp/v3/std/capnp/schema"

	"azulejo/internal/wire/capnp"
)

// shape is the type of a value: its kind, and what a list has in it, a struct consists of, or an enumeration knows by name.
type shape struct {
	kind      schema.Type_Which
	element   *shape
	structure *structure
	names     []string
}

// structure is a struct or group: a group has its fields in the struct that it belongs to.
type structure struct {
	size   capnplib.ObjectSize
	fields []field
	byName map[string]int
	// which is where the number of the set member of its union stands, if it has one.
	which capnplib.DataOffset
}

// field is a member of a struct. Its place is counted in its own size, that of pointers in pointers.
type field struct {
	name  string
	place uint32
	of    *shape
	// standard is 1 for a truth value that is true unless it was set: the message has the difference.
	standard uint64
	// member is its number in the union of the struct, or notInUnion.
	member int
	// group has the fields instead of a shape.
	group *structure
}

const notInUnion = -1

// loaded is the schema of all messages, made when first asked for. It does not change after that.
var loaded = sync.OnceValues(load)

// find returns the struct that a message begins with.
func find(id uint64) (*structure, error) {
	l, err := loaded()
	if err != nil {
		return nil, err
	}
	s := l.structures[fmt.Sprintf("%x", id)]
	if s == nil {
		return nil, fmt.Errorf("capjson: the schema has no struct %#x", id)
	}
	return s, nil
}

// loader makes structures of the schema's nodes. A generic struct becomes one structure for each choice of its parameters: keys are
// the id of the node and the keys of what it is bound to.
type loader struct {
	nodes      map[uint64]schema.Node
	structures map[string]*structure
	shapes     map[string]*shape
	err        error
}

// otherNames are what libtiledb calls some fields of requests about groups in JSON, as the cloud's API does.
var otherNames = map[uint64]map[string]string{
	capnp.GroupCreate_TypeID:                    {"groupDetails": "group_details"},
	capnp.GroupUpdate_TypeID:                    {"groupUpdate": "group_changes"},
	capnp.GroupUpdate_GroupUpdateDetails_TypeID: {"membersToAdd": "members_to_add", "membersToRemove": "members_to_remove"},
}

// bindings are what the parameters of generic structs stand for, by the id of the struct.
type bindings map[uint64][]string

func load() (*loader, error) {
	var registry schemas.Registry
	capnp.RegisterSchema(&registry)
	b, err := registry.Find(capnp.ArraySchema_TypeID)
	if err != nil {
		return nil, err
	}
	message, err := capnplib.Unmarshal(b)
	if err != nil {
		return nil, err
	}
	message.ResetReadLimit(1 << 30)
	request, err := schema.ReadRootCodeGeneratorRequest(message)
	if err != nil {
		return nil, err
	}
	nodes, err := request.Nodes()
	if err != nil {
		return nil, err
	}
	l := &loader{nodes: map[uint64]schema.Node{}, structures: map[string]*structure{}, shapes: map[string]*shape{}}
	for i := range nodes.Len() {
		l.nodes[nodes.At(i).Id()] = nodes.At(i)
	}
	for id, node := range l.nodes {
		if node.Which() == schema.Node_Which_structNode && !node.IsGeneric() {
			l.structure(id, nil)
		}
	}
	return l, l.err
}

// ok keeps the first error and reports whether there is none.
func (l *loader) ok(err error) bool {
	if l.err == nil {
		l.err = err
	}
	return l.err == nil
}

// structure returns the struct of a node with its parameters bound.
func (l *loader) structure(id uint64, bound bindings) *structure {
	key := structureKey(id, bound)
	if s := l.structures[key]; s != nil {
		return s
	}
	node := l.nodes[id].StructNode()
	s := &structure{size: capnplib.ObjectSize{DataSize: capnplib.Size(node.DataWordCount()) * 8, PointerCount: node.PointerCount()}, byName: map[string]int{}}
	l.structures[key] = s
	s.which = capnplib.DataOffset(2 * node.DiscriminantOffset())
	list, err := node.Fields()
	if !l.ok(err) {
		return s
	}
	for i := range list.Len() {
		m := list.At(i)
		name, err := m.Name()
		if !l.ok(err) {
			return s
		}
		f := field{name: name, member: notInUnion}
		if d := m.DiscriminantValue(); d != schema.Field_noDiscriminant {
			f.member = int(d)
		}
		if m.Which() == schema.Field_Which_group {
			f.group = l.structure(m.Group().TypeId(), bound)
		} else {
			l.slot(&f, m.Slot(), bound)
		}
		s.byName[name] = len(s.fields)
		if other := otherNames[id][name]; other != "" {
			s.byName[other] = len(s.fields)
		}
		s.fields = append(s.fields, f)
	}
	return s
}

// structureKey tells structures of one node apart by what its parameters stand for.
func structureKey(id uint64, bound bindings) string {
	key := fmt.Sprintf("%x", id)
	if len(bound) > 0 {
		key += fmt.Sprint(bound)
	}
	return key
}

// slot fills in a field that is no group.
func (l *loader) slot(f *field, m schema.Field_slot, bound bindings) {
	f.place = m.Offset()
	t, err := m.Type()
	if !l.ok(err) {
		return
	}
	f.of = l.shapes[l.shape(t, bound)]
	value, err := m.DefaultValue()
	if !l.ok(err) {
		return
	}
	switch {
	case value.Which() == schema.Value_Which_bool && value.Bool():
		f.standard = 1
	case m.HadExplicitDefault() && value.Which() != schema.Value_Which_bool:
		l.ok(fmt.Errorf("capjson: field %s has a standard value of kind %v", f.name, value.Which()))
	}
}

// shape makes the shape of a type and returns its key.
func (l *loader) shape(t schema.Type, bound bindings) string {
	s, key := &shape{kind: t.Which()}, t.Which().String()
	switch t.Which() {
	case schema.Type_Which_list:
		element, err := t.List().ElementType()
		if !l.ok(err) {
			return ""
		}
		of := l.shape(element, bound)
		key += "<" + of + ">"
		s.element = l.shapes[of]
	case schema.Type_Which_structType:
		brand, err := t.StructType().Brand()
		if !l.ok(err) {
			return ""
		}
		inner := l.bind(brand, bound)
		key = structureKey(t.StructType().TypeId(), inner)
		s.structure = l.structure(t.StructType().TypeId(), inner)
	case schema.Type_Which_enum:
		key = fmt.Sprintf("%x", t.Enum().TypeId())
		s.names = l.names(t.Enum().TypeId())
	case schema.Type_Which_anyPointer:
		if t.AnyPointer().Which() != schema.Type_anyPointer_Which_parameter {
			break
		}
		p := t.AnyPointer().Parameter()
		if i := int(p.ParameterIndex()); i < len(bound[p.ScopeId()]) {
			return bound[p.ScopeId()][i]
		}
	}
	if l.shapes[key] == nil {
		l.shapes[key] = s
	}
	return key
}

// bind returns what the parameters of a struct's type stand for.
func (l *loader) bind(brand schema.Brand, bound bindings) bindings {
	scopes, err := brand.Scopes()
	if !l.ok(err) || scopes.Len() == 0 {
		return nil
	}
	inner := bindings{}
	for i := range scopes.Len() {
		scope := scopes.At(i)
		if scope.Which() == schema.Brand_Scope_Which_inherit {
			inner[scope.ScopeId()] = bound[scope.ScopeId()]
			continue
		}
		list, err := scope.Bind()
		if !l.ok(err) {
			return nil
		}
		for j := range list.Len() {
			t, err := list.At(j).Type()
			if !l.ok(err) {
				return nil
			}
			inner[scope.ScopeId()] = append(inner[scope.ScopeId()], l.shape(t, bound))
		}
	}
	return inner
}

// names returns the names of an enumeration's values.
func (l *loader) names(id uint64) []string {
	list, err := l.nodes[id].Enum().Enumerants()
	if !l.ok(err) {
		return nil
	}
	names := make([]string, list.Len())
	for i := range names {
		names[i], err = list.At(i).Name()
		l.ok(err)
	}
	return names
}
