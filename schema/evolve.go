package schema

import (
	"maps"
	"slices"
)

// Evolve returns a new schema with the changes of e applied in libtiledb's order (add and extend enumerations, add and
// drop attributes, drop enumerations, expand the current domain), checked, with an empty Name and the version of the old
// one; a is left as it is, and memory is shared. Enumerations that are added or extended may get their File before, or from
// the caller afterwards; those that e extends must be loaded in a. The error wraps ErrInvalid.
func (a *Array) Evolve(e Evolution) (*Array, error) {
	b := *a
	b.Name = ""
	b.Attributes = slices.Clone(a.Attributes)
	b.EnumerationNames = slices.Clone(a.EnumerationNames)
	b.EnumerationFiles = cloneMap(a.EnumerationFiles)
	b.Enumerations = cloneMap(a.Enumerations)
	for _, step := range []func(Evolution) error{
		b.addEnumerations, b.extendEnumerations, b.changeAttributes, b.dropEnumerations, b.expandCurrentDomain,
	} {
		if err := step(e); err != nil {
			return nil, err
		}
	}
	if err := firstErr(b.CheckStored, b.checkWebP); err != nil {
		return nil, err
	}
	return &b, nil
}

// cloneMap copies a map; the result is never nil.
func cloneMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

func (a *Array) addEnumerations(e Evolution) error {
	for _, added := range e.AddEnumerations {
		if a.hasEnumeration(added.Name) {
			return invalid("enumeration %q exists already", added.Name)
		}
		if err := added.Check(); err != nil {
			return err
		}
		a.EnumerationNames = append(a.EnumerationNames, added.Name)
		a.EnumerationFiles[added.Name] = added.File
		a.Enumerations[added.Name] = added
	}
	return nil
}

func (a *Array) extendEnumerations(e Evolution) error {
	seen := map[string]bool{}
	for _, ext := range e.ExtendEnumerations {
		old := a.Enumerations[ext.Name]
		switch {
		case !a.hasEnumeration(ext.Name):
			return invalid("no enumeration %q to extend", ext.Name)
		case seen[ext.Name]:
			return invalid("enumeration %q is extended twice", ext.Name)
		case old == nil:
			return invalid("enumeration %q is not loaded", ext.Name)
		}
		if err := ext.Check(); err != nil {
			return err
		}
		if err := ext.Extends(old); err != nil {
			return err
		}
		for name, file := range a.EnumerationFiles {
			if file == ext.File && file != "" {
				return invalid("enumeration %q: the file %q belongs to %q already", ext.Name, file, name)
			}
		}
		seen[ext.Name] = true
		a.EnumerationFiles[ext.Name] = ext.File
		a.Enumerations[ext.Name] = ext
	}
	return nil
}

func (a *Array) changeAttributes(e Evolution) error {
	for i := range e.AddAttributes {
		t := e.AddAttributes[i]
		if t.Enumeration != "" && a.Enumerations[t.Enumeration] == nil {
			return invalid("attribute %q: enumeration %q is unknown or not loaded", t.Name, t.Enumeration)
		}
		if err := firstErr(t.check, t.checkNew); err != nil {
			return err
		}
		if _, there := a.Field(t.Name); there {
			return invalid("attribute %q: the name is taken", t.Name)
		}
		a.Attributes = append(a.Attributes, t)
	}
	for _, name := range e.DropAttributes {
		i := slices.IndexFunc(a.Attributes, func(t Attribute) bool { return t.Name == name })
		if i < 0 || name == "" {
			return invalid("no attribute %q to drop", name)
		}
		a.Attributes = slices.Delete(a.Attributes, i, i+1)
	}
	return nil
}

// dropEnumerations passes over names that are unknown, as libtiledb does.
func (a *Array) dropEnumerations(e Evolution) error {
	for _, name := range e.DropEnumerations {
		for i := range a.Attributes {
			if a.Attributes[i].Enumeration == name && name != "" {
				return invalid("enumeration %q is used by attribute %q", name, a.Attributes[i].Name)
			}
		}
		a.EnumerationNames = slices.DeleteFunc(a.EnumerationNames, func(n string) bool { return n == name })
		delete(a.EnumerationFiles, name)
		delete(a.Enumerations, name)
	}
	return nil
}

func (a *Array) expandCurrentDomain(e Evolution) error {
	c := e.ExpandCurrentDomain
	if c == nil {
		return nil
	}
	if c.Active() == nil {
		return invalid("an empty current domain expands nothing")
	}
	if err := c.Check(&a.Domain); err != nil {
		return err
	}
	if !c.Covers(&a.Domain, a.CurrentDomain) {
		return invalid("a current domain can only be expanded")
	}
	a.CurrentDomain = c
	return nil
}
