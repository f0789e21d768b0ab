package access

import "fmt"

// Action is one kind of thing a caller can ask for. Every operation of the API
// names one; the zero Action is none, and a router must refuse it.
type Action uint8

// The actions. Those on assets stored as arrays (files, notebooks, code,
// models) are the array actions.
const (
	NoAction Action = iota
	Public          // needs nobody: capabilities, health, sign-in page
	Login           // exchange a credential for a session
	SelfRead
	SelfWrite
	SelfDelete
	ScopesRead
	TokensRead
	TokenCreate
	TokenRevoke
	TokenRevokeSelf // the token that authenticates the request
	PasswordReset
	EmailConfirm
	NamespaceRead // list what is in a namespace
	ArrayCreate
	ArrayRegister
	ArrayRead
	ArrayWrite
	ArrayDescribe // change name, description and the like
	ArrayDelete
	ArrayDeregister
	ArrayShare
	GroupCreate
	GroupRegister
	GroupRead
	GroupWrite
	GroupDescribe
	GroupDelete
	GroupDeregister
	GroupShare
	OrganizationRead
	OrganizationWrite
	OrganizationAdmin
	CodeRun // UDFs, SQL, task graphs, notebook servers
	UsersAdmin
	ArrayFind    // does an array of that name exist, and what is it
	GroupFind    // the same for a group
	TasksRead    // the caller's tasks and their logs
	ProfileRead  // another user's public profile
	CatalogRead  // everything that the caller can see, in all namespaces
	GroupsBrowse // the same for groups
	FileRead     // list and read files: an asset's, or the namespace's own
	FileWrite    // write them
	FileDelete   // remove them
	actions      // number of actions
)

// rule says what an action needs. The zero values of see and do are the
// weakest standing, so a row states each that matters.
type rule struct {
	name     string       // as messages, logs and metrics spell it
	scopes   []Scope      // all of them are needed
	on       []ObjectKind // kinds of object it may be about; none means no object
	see, do  standing     // standing needed to know of the object, and to act
	open     bool         // no identity needed
	anyToken bool         // any valid credential will do
	changes  bool         // changes the content of the asset
}

var (
	asArray = []ObjectKind{Array}
	asGroup = []ObjectKind{Group}
	inSpace = []ObjectKind{Namespace}
	inFiles = []ObjectKind{Namespace, Array, Group}
	onSelf  = []ObjectKind{Self}

	codeScopes = []Scope{ScopeArrayWrite, ScopeUserWrite}
)

// rules is the whole permission table: one row per action.
var rules = [actions]rule{
	Public: {name: "public", open: true},
	Login:  {name: "login", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: owner, do: owner},

	SelfRead:        {name: "user:read", scopes: []Scope{ScopeUserRead}, on: onSelf, see: owner, do: owner},
	SelfWrite:       {name: "user:write", scopes: []Scope{ScopeUserWrite}, on: onSelf, see: owner, do: owner},
	SelfDelete:      {name: "user:delete", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: owner, do: owner},
	ScopesRead:      {name: "tokens:scopes", scopes: []Scope{ScopeUserRead}, on: onSelf, see: owner, do: owner},
	TokensRead:      {name: "tokens:list", scopes: []Scope{ScopeUserRead}, on: onSelf, see: owner, do: owner},
	TokenCreate:     {name: "tokens:create", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: owner, do: owner},
	TokenRevoke:     {name: "tokens:revoke", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: owner, do: owner},
	TokenRevokeSelf: {name: "tokens:revoke-self", anyToken: true, on: onSelf, see: owner, do: owner},
	PasswordReset:   {name: "user:password-reset", scopes: []Scope{ScopePasswordReset}, on: onSelf, see: owner, do: owner},
	EmailConfirm:    {name: "user:confirm-email", scopes: []Scope{ScopeConfirmEmail}, on: onSelf, see: owner, do: owner},
	TasksRead:       {name: "tasks:read", scopes: []Scope{ScopeUserRead}, on: onSelf, see: owner, do: owner},
	ProfileRead:     {name: "users:read", scopes: []Scope{ScopeUserRead}, on: onSelf, see: owner, do: owner},

	CatalogRead:     {name: "arrays:list", scopes: []Scope{ScopeArrayRead}, on: onSelf, see: owner, do: owner},
	NamespaceRead:   {name: "namespace:list", scopes: []Scope{ScopeArrayRead}, on: inSpace, see: owner, do: owner},
	ArrayFind:       {name: "array:find", scopes: []Scope{ScopeArrayRead}, on: asArray, see: owner, do: owner},
	ArrayCreate:     {name: "array:create", scopes: []Scope{ScopeArrayWrite}, on: inSpace, see: owner, do: owner},
	ArrayRegister:   {name: "array:register", scopes: []Scope{ScopeArrayWrite}, on: inSpace, see: owner, do: owner},
	ArrayRead:       {name: "array:read", scopes: []Scope{ScopeArrayRead}, on: asArray, see: owner, do: owner},
	ArrayWrite:      {name: "array:write", scopes: []Scope{ScopeArrayWrite}, on: asArray, see: owner, do: owner, changes: true},
	ArrayDescribe:   {name: "array:describe", scopes: []Scope{ScopeArrayWrite}, on: asArray, see: owner, do: owner},
	ArrayDelete:     {name: "array:delete", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: owner, do: owner, changes: true},
	ArrayDeregister: {name: "array:deregister", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: owner, do: owner},
	ArrayShare:      {name: "array:share", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: owner, do: owner},

	FileRead:   {name: "file:read", scopes: []Scope{ScopeArrayRead}, on: inFiles, see: owner, do: owner},
	FileWrite:  {name: "file:write", scopes: []Scope{ScopeArrayWrite}, on: inFiles, see: owner, do: owner, changes: true},
	FileDelete: {name: "file:delete", scopes: []Scope{ScopeArrayAdmin}, on: inFiles, see: owner, do: owner, changes: true},

	GroupsBrowse:    {name: "groups:list", scopes: []Scope{ScopeGroupRead}, on: onSelf, see: owner, do: owner},
	GroupFind:       {name: "group:find", scopes: []Scope{ScopeGroupRead}, on: asGroup, see: owner, do: owner},
	GroupCreate:     {name: "group:create", scopes: []Scope{ScopeGroupWrite}, on: inSpace, see: owner, do: owner},
	GroupRegister:   {name: "group:register", scopes: []Scope{ScopeGroupWrite}, on: inSpace, see: owner, do: owner},
	GroupRead:       {name: "group:read", scopes: []Scope{ScopeGroupRead}, on: asGroup, see: owner, do: owner},
	GroupWrite:      {name: "group:write", scopes: []Scope{ScopeGroupWrite}, on: asGroup, see: owner, do: owner, changes: true},
	GroupDescribe:   {name: "group:describe", scopes: []Scope{ScopeGroupWrite}, on: asGroup, see: owner, do: owner},
	GroupDelete:     {name: "group:delete", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: owner, do: owner, changes: true},
	GroupDeregister: {name: "group:deregister", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: owner, do: owner},
	GroupShare:      {name: "group:share", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: owner, do: owner},

	OrganizationRead:  {name: "organization:read", scopes: []Scope{ScopeOrganizationR}, on: onSelf, see: owner, do: owner},
	OrganizationWrite: {name: "organization:write", scopes: []Scope{ScopeOrganizationRW}, on: onSelf, see: owner, do: owner},
	OrganizationAdmin: {name: "organization:admin", scopes: []Scope{ScopeOrganizationA}, on: onSelf, see: owner, do: owner},

	CodeRun:    {name: "code:run", scopes: codeScopes, on: inSpace, see: owner, do: owner},
	UsersAdmin: {name: "server:users", scopes: []Scope{ScopeUserAdmin}, on: []ObjectKind{Server}, do: owner},
}

// rule returns the action's row; an action without one is a fault of the
// caller's table and is refused, never let through.
func (a Action) rule() (rule, error) {
	if a >= actions || rules[a].name == "" {
		return rule{}, fmt.Errorf("%w: unknown action %d", ErrDenied, uint8(a))
	}
	return rules[a], nil
}

// Valid reports whether a has a row in the table.
func (a Action) Valid() bool { return a < actions && rules[a].name != "" }

// String returns the action's name, for example "array:write".
func (a Action) String() string {
	if !a.Valid() {
		return "none"
	}
	return rules[a].name
}

// Needs lists the scopes of which a token needs all for the action, or nil if
// any token, or none, will do. The slice is the caller's.
func (a Action) Needs() []Scope {
	if !a.Valid() {
		return nil
	}
	return append([]Scope(nil), rules[a].scopes...)
}

// Open reports whether the action needs no identity.
func (a Action) Open() bool { return a.Valid() && rules[a].open }

// On lists the kinds of object the action is about; an action on none is about
// no object at all. The slice is the caller's.
func (a Action) On() []ObjectKind {
	if !a.Valid() {
		return nil
	}
	return append([]ObjectKind(nil), rules[a].on...)
}

// Actions lists every action of the table.
func Actions() []Action {
	var list []Action
	for a := range actions {
		if a.Valid() {
			list = append(list, a)
		}
	}
	return list
}
