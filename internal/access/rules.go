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
	ArrayInfo    // the catalogue's entry of an array
	ArraySchema  // its schema, without cells
	ArrayLogs    // who did what to it
	GroupLogs
	ArrayShares // to whom it is shared
	GroupShares
	OrganizationsRead  // the caller's organizations
	OrganizationCreate // become the owner of a new one
	OrganizationInvite
	OrganizationMembers // add, change and remove members
	OrganizationLeave   // the caller's own membership
	OrganizationDelete
	SignUp             // ask for an account
	FavoritesRead      // the caller's favourites
	FavoriteRead       // is an asset one of them
	FavoriteWrite      // make an asset one, or no longer
	InvitationsRead    // sent to the caller, or by the caller
	InvitationAnswer   // accept or take back
	CredentialsRead    // storage credentials of the caller's own namespace, without secrets
	CredentialsWrite   // add, change and remove them
	OrgCredentialsRead // the same for an organization
	OrgCredentialsWrite
	SelfSecure    // the caller's second factor
	PaymentShare  // let others work at a namespace's cost
	UsageRead     // what was done at a namespace's cost
	ArrayTransfer // give an array to another namespace
	GroupTransfer
	actions // number of actions
)

// rule says what an action needs. Of see and do, any one of the rights is enough; a row states both, since none at all
// would let everybody who is logged in.
type rule struct {
	name     string       // as messages, logs and metrics spell it
	scopes   []Scope      // all of them are needed
	on       []ObjectKind // kinds of object it may be about; none means no object
	see, do  Rights       // rights of which one is needed to know of the object, and one to act
	open     bool         // no identity needed
	anyToken bool         // any valid credential will do
	changes  bool         // changes the content of the asset
	parts    bool         // may be done by who may see only a part of an array
}

var (
	asArray  = []ObjectKind{Array}
	asGroup  = []ObjectKind{Group}
	inSpace  = []ObjectKind{Namespace}
	inFiles  = []ObjectKind{Namespace, Array, Group}
	inAssets = []ObjectKind{Array, Group}
	onSelf   = []ObjectKind{Self}

	codeScopes = []Scope{ScopeArrayWrite, ScopeUserWrite}
)

// rules is the whole permission table: one row per action.
var rules = [actions]rule{
	Public: {name: "public", open: true},
	Login:  {name: "login", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: beSelf, do: beSelf},

	SelfRead:        {name: "user:read", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},
	SelfWrite:       {name: "user:write", scopes: []Scope{ScopeUserWrite}, on: onSelf, see: beSelf, do: beSelf},
	SelfDelete:      {name: "user:delete", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: beSelf, do: beSelf},
	SelfSecure:      {name: "user:second-factor", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: beSelf, do: beSelf},
	ScopesRead:      {name: "tokens:scopes", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},
	TokensRead:      {name: "tokens:list", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},
	TokenCreate:     {name: "tokens:create", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: beSelf, do: beSelf},
	TokenRevoke:     {name: "tokens:revoke", scopes: []Scope{ScopeUserAdmin}, on: onSelf, see: beSelf, do: beSelf},
	TokenRevokeSelf: {name: "tokens:revoke-self", anyToken: true, on: onSelf, see: beSelf, do: beSelf},
	PasswordReset:   {name: "user:password-reset", scopes: []Scope{ScopePasswordReset}, on: onSelf, see: beSelf, do: beSelf},
	EmailConfirm:    {name: "user:confirm-email", scopes: []Scope{ScopeConfirmEmail}, on: onSelf, see: beSelf, do: beSelf},
	TasksRead:       {name: "tasks:read", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},
	ProfileRead:     {name: "users:read", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},

	CatalogRead:     {name: "arrays:list", scopes: []Scope{ScopeArrayRead}, on: onSelf, see: beSelf, do: beSelf},
	NamespaceRead:   {name: "namespace:list", scopes: []Scope{ScopeArrayRead}, on: inSpace, see: 0, do: 0},
	ArrayFind:       {name: "array:find", scopes: []Scope{ScopeArrayRead}, on: asArray, see: anyRight, do: anyRight, parts: true},
	ArrayCreate:     {name: "array:create", scopes: []Scope{ScopeArrayWrite}, on: inSpace, see: anyRight, do: CanCreate},
	ArrayRegister:   {name: "array:register", scopes: []Scope{ScopeArrayWrite}, on: inSpace, see: anyRight, do: CanCreate},
	ArrayRead:       {name: "array:read", scopes: []Scope{ScopeArrayRead}, on: asArray, see: anyRight, do: CanRead, parts: true},
	ArrayWrite:      {name: "array:write", scopes: []Scope{ScopeArrayWrite}, on: asArray, see: anyRight, do: CanWrite, changes: true},
	ArrayDescribe:   {name: "array:describe", scopes: []Scope{ScopeArrayWrite}, on: asArray, see: anyRight, do: CanWrite | CanEdit},
	ArrayDelete:     {name: "array:delete", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: anyRight, do: CanDelete, changes: true},
	ArrayDeregister: {name: "array:deregister", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: anyRight, do: CanDelete},
	ArrayShare:      {name: "array:share", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: anyRight, do: CanEdit},

	ArrayInfo:   {name: "array:info", scopes: []Scope{ScopeArrayRead}, on: asArray, see: anyRight, do: CanReadInfo, parts: true},
	ArraySchema: {name: "array:schema", scopes: []Scope{ScopeArrayRead}, on: asArray, see: anyRight, do: CanReadSchema, parts: true},
	ArrayLogs:   {name: "array:logs", scopes: []Scope{ScopeArrayRead}, on: asArray, see: anyRight, do: CanReadLogs},
	ArrayShares: {name: "array:shares", scopes: []Scope{ScopeArrayRead}, on: asArray, see: anyRight, do: CanEdit},
	GroupShares: {name: "group:shares", scopes: []Scope{ScopeGroupRead}, on: asGroup, see: anyRight, do: anyRight},
	GroupLogs:   {name: "group:logs", scopes: []Scope{ScopeGroupRead}, on: asGroup, see: anyRight, do: CanReadLogs},

	FileRead:   {name: "file:read", scopes: []Scope{ScopeArrayRead}, on: inFiles, see: anyRight, do: CanRead},
	FileWrite:  {name: "file:write", scopes: []Scope{ScopeArrayWrite}, on: inFiles, see: anyRight, do: CanWrite, changes: true},
	FileDelete: {name: "file:delete", scopes: []Scope{ScopeArrayAdmin}, on: inFiles, see: anyRight, do: CanDelete, changes: true},

	GroupsBrowse:    {name: "groups:list", scopes: []Scope{ScopeGroupRead}, on: onSelf, see: beSelf, do: beSelf},
	GroupFind:       {name: "group:find", scopes: []Scope{ScopeGroupRead}, on: asGroup, see: anyRight, do: anyRight},
	GroupCreate:     {name: "group:create", scopes: []Scope{ScopeGroupWrite}, on: inSpace, see: anyRight, do: CanCreate},
	GroupRegister:   {name: "group:register", scopes: []Scope{ScopeGroupWrite}, on: inSpace, see: anyRight, do: CanCreate},
	GroupRead:       {name: "group:read", scopes: []Scope{ScopeGroupRead}, on: asGroup, see: anyRight, do: CanRead},
	GroupWrite:      {name: "group:write", scopes: []Scope{ScopeGroupWrite}, on: asGroup, see: anyRight, do: CanWrite, changes: true},
	GroupDescribe:   {name: "group:describe", scopes: []Scope{ScopeGroupWrite}, on: asGroup, see: anyRight, do: CanWrite | CanEdit},
	GroupDelete:     {name: "group:delete", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: anyRight, do: CanDelete, changes: true},
	GroupDeregister: {name: "group:deregister", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: anyRight, do: CanDelete},
	GroupShare:      {name: "group:share", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: anyRight, do: CanEdit},

	OrganizationsRead:   {name: "organizations:list", scopes: []Scope{ScopeOrganizationR}, on: onSelf, see: beSelf, do: beSelf},
	OrganizationCreate:  {name: "organization:create", scopes: []Scope{ScopeOrganizationRW}, on: onSelf, see: beSelf, do: beSelf},
	OrganizationRead:    {name: "organization:read", scopes: []Scope{ScopeOrganizationR}, on: inSpace, see: beMember, do: beMember},
	OrganizationWrite:   {name: "organization:write", scopes: []Scope{ScopeOrganizationRW}, on: inSpace, see: beMember, do: CanEditOrganization},
	OrganizationInvite:  {name: "organization:invite", scopes: []Scope{ScopeOrganizationRW}, on: inSpace, see: beMember, do: CanEditOrganization},
	OrganizationMembers: {name: "organization:members", scopes: []Scope{ScopeOrganizationA}, on: inSpace, see: beMember, do: CanEditOrganization},
	OrganizationLeave:   {name: "organization:leave", scopes: []Scope{ScopeOrganizationA}, on: inSpace, see: beMember, do: beMember},
	OrganizationDelete:  {name: "organization:delete", scopes: []Scope{ScopeOrganizationA}, on: inSpace, see: beMember, do: CanDeleteOrganization},
	OrgCredentialsRead:  {name: "organization:credentials", scopes: []Scope{ScopeOrganizationR}, on: inSpace, see: beMember, do: beMember},
	OrgCredentialsWrite: {name: "organization:credentials-write", scopes: []Scope{ScopeOrganizationA}, on: inSpace, see: beMember, do: CanEditOrganization},

	ArrayTransfer: {name: "array:transfer", scopes: []Scope{ScopeArrayAdmin}, on: asArray, see: anyRight, do: CanDelete},
	GroupTransfer: {name: "group:transfer", scopes: []Scope{ScopeGroupAdmin}, on: asGroup, see: anyRight, do: CanDelete},
	UsageRead:     {name: "namespace:usage", scopes: []Scope{ScopeUserRead}, on: inSpace, see: beMember, do: CanEditOrganization},
	PaymentShare:  {name: "namespace:share-payment", scopes: []Scope{ScopeUserAdmin}, on: inSpace, see: beMember, do: CanEditBilling},

	SignUp:           {name: "user:sign-up", open: true},
	FavoritesRead:    {name: "favorites:list", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},
	FavoriteRead:     {name: "favorites:read", scopes: []Scope{ScopeUserRead}, on: inAssets, see: anyRight, do: anyRight, parts: true},
	FavoriteWrite:    {name: "favorites:write", scopes: []Scope{ScopeUserWrite}, on: inAssets, see: anyRight, do: anyRight, parts: true},
	InvitationsRead:  {name: "invitations:list", scopes: []Scope{ScopeUserRead}, on: onSelf, see: beSelf, do: beSelf},
	InvitationAnswer: {name: "invitations:answer", scopes: []Scope{ScopeUserWrite}, on: onSelf, see: beSelf, do: beSelf},
	CredentialsRead:  {name: "credentials:list", scopes: []Scope{ScopeUserRead}, on: inSpace, see: beMember, do: beMember},
	CredentialsWrite: {name: "credentials:write", scopes: []Scope{ScopeUserAdmin}, on: inSpace, see: beMember, do: CanEditOrganization},

	CodeRun:    {name: "code:run", scopes: codeScopes, on: inSpace, see: anyRight, do: CanRun},
	UsersAdmin: {name: "server:users", scopes: []Scope{ScopeUserAdmin}, on: []ObjectKind{Server}, do: beAdmin},
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

// Parts reports whether the action can be done by who may see only a part of an array; what does it applies the part.
func (a Action) Parts() bool { return a.Valid() && rules[a].parts }
