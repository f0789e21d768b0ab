package console

import "strings"

// form says what a request may carry beside its path: the names of its query parameters, and those of the members of its JSON body.
// A name is a text unless it ends in :int, :bool or :object, or in [] for a list of texts.
type form struct{ query, members string }

const (
	paging    = "page:int per_page:int"
	browsing  = paging + " search namespace orderby permissions tag[] exclude_tag[] file_type[] exclude_file_type[]"
	assetInfo = "description name uri file_type file_properties:object access_credentials_name logo tags[] license_id license_text read_only:bool"
)

// forms are those of the operations that people call with JSON, by the operation's id; the names are those of TileDB's published API
// as far as we read them. What the engine's clients send is Cap'n Proto, see docs/parity.md.
var forms = map[string]form{
	"HandleCopyUDF":                 {"end_timestamp:int", "output_uri namespace name"},
	"addAWSAccessCredentials":       {"", "secret_access_key access_key_id service_role_arn name default:bool buckets[]"},
	"addCredential":                 {"provider type " + paging, "uuid name provider_default:bool allowed_in_tasks:bool credential:object role:object token:object"},
	"addUserToOrganization":         {"", "username role"},
	"arrayActivityLog":              {query: "start:int end:int event_types task_id"},
	"arrayActivityPage":             {query: "start:int end:int event_types[] task_id " + paging},
	"arrayEndTimestamps":            {query: paging},
	"arraysBrowserOwnedGet":         {query: browsing},
	"arraysBrowserOwnedSidebarGet":  {query: "file_type[] exclude_file_type[]"},
	"arraysBrowserPublicGet":        {query: browsing},
	"arraysBrowserPublicSidebarGet": {query: "file_type[] exclude_file_type[]"},
	"arraysBrowserSharedGet":        {query: browsing + " shared_to[]"},
	"arraysBrowserSharedSidebarGet": {query: "file_type[] exclude_file_type[] shared_to[]"},
	"changeAssetCredentials":        {"", "access_credentials asset_uuids[]"},
	"changeGroupContents":           {"", "add[] remove[]"},
	"copyNotebook":                  {"end_timestamp:int", "output_uri name namespace"},
	"createFile":                    {"", "input_uri output_uri name"},
	"createGroupByName":             {"", "description name parent uri logo access_credentials_name tags[] license_id license_text"},
	"createOrganization":            {"", "id role name logo description users[] default_s3_path default_s3_path_credentials_name asset_locations:object"},
	"createUser":                    {"", "id username password name email company logo timezone default_s3_path default_s3_path_credentials_name asset_locations:object default_namespace_charged default_region"},
	"deleteGroup":                   {query: "recursive:bool"},
	"deregisterGroup":               {query: "recursive:bool"},
	"exportFile":                    {"", "output_uri"},
	"fetchInvitations":              {query: "organization array group start:int end:int " + paging + " type status orderby"},
	"getAllArrayMetadata":           {query: "public_share"},
	"getArrayMaxBufferSizes":        {query: "subarray"},
	"getArrayMetaDataJson":          {query: "length:int end_timestamp:int"},
	"getArraySampleData":            {query: "samples:int"},
	"getFragmentEndTimestamp":       {query: "end_timestamp:int"},
	"getGroupActivity":              {query: "start:int end:int " + paging},
	"getGroupContentActivity":       {query: paging},
	"getGroupContents":              {query: paging + " namespace search orderby tag[] exclude_tag[] member_type[] exclude_member_type[]"},
	"getSession":                    {query: "remember_me expires"},
	"groupContentActivityOld":       {query: paging},
	"groupsBrowserOwnedFiltersGet":  {query: "namespace"},
	"groupsBrowserSharedFiltersGet": {query: "namespace"},
	"joinOrganization":              {"", "actions[] organization_role invitee_email[]"},
	"listArrayFavorites":            {query: paging},
	"listAssets":                    {query: "asset_type ownership_level depth search " + paging + " order_by"},
	"listCredentials":               {query: "provider type " + paging},
	"listMLModelFavorites":          {query: paging},
	"listNotebookFavorites":         {query: "is_dashboard:bool " + paging},
	"listOwnedGroups":               {query: paging + " group_type search namespace orderby permissions tag[] exclude_tag[] flat:bool parent"},
	"listPublicAssets":              {query: "asset_type depth search " + paging + " order_by"},
	"listPublicGroups":              {query: paging + " group_type search namespace orderby permissions tag[] exclude_tag[] flat:bool parent"},
	"listSharedGroups":              {query: paging + " group_type search namespace orderby permissions tag[] exclude_tag[] flat:bool parent shared_to[]"},
	"listUDFFavorites":              {query: paging},
	"notebookEndTimestamps":         {query: paging},
	"pruneNotebook":                 {query: "keep_versions:int"},
	"registerArray":                 {"", assetInfo},
	"registerGroupByName":           {"", "description name parent uri logo access_credentials_name tags[] license_id license_text"},
	"registerRegisteredTaskGraph":   {"", "uuid namespace name readme license_id license_text tags[] nodes[]"},
	"registerUDFInfo":               {"", "name language version image_name type exec exec_raw readme license_id license_text tags[]"},
	"requestToken":                  {"", "expires name scope[]"},
	"resetUserPassword":             {"", "password"},
	"shareArray":                    {"", "actions[] namespace namespace_type policy:object"},
	"shareArrayByInvite":            {"", "actions[] invitee_email[]"},
	"shareGroup":                    {"", "group_actions[] array_actions[] namespace"},
	"shareGroupByInvite":            {"", "array_actions[] group_actions[] invitee_email_or_name[]"},
	"shareRegisteredTaskGraph":      {"", "actions[] namespace namespace_type"},
	"shareUDFInfo":                  {"", "actions[] namespace namespace_type"},
	"submitQueryJson":               {"", "query_ranges:object fields[]"},
	"submitQueryv1":                 {query: "type"},
	"submitQueryv2":                 {query: "type read_all"},
	"udfEndTimestamps":              {query: paging},
	"updateAWSAccessCredentials":    {"", "secret_access_key access_key_id service_role_arn name default:bool buckets[]"},
	"updateArrayInfo":               {"", assetInfo},
	"updateCredential":              {"", "uuid name provider_default:bool allowed_in_tasks:bool credential:object role:object token:object"},
	"updateGroupInfo":               {"", "description name logo access_credentials_name tags[] license_id license_text"},
	"updateNotebookName":            {"", assetInfo},
	"updateOrganization":            {"", "name logo description default_s3_path default_s3_path_credentials_name asset_locations:object"},
	"updateRegisteredTaskGraph":     {"", "uuid namespace name readme license_id license_text tags[] nodes[]"},
	"updateUDFInfo":                 {"", "name language version image_name type exec exec_raw readme license_id license_text tags[]"},
	"updateUser":                    {"", "id username password name email company logo timezone default_s3_path default_s3_path_credentials_name asset_locations:object default_namespace_charged default_region"},
	"updateUserInOrganization":      {"", "username role"},
	"uploadFile":                    {query: "name filename filesize:int mimetype"},
	"uploadNotebook":                {query: "name filesize:int"},
}

// schemas returns the names of a list with their JSON schemas, in order.
func schemas(list string) (names []string, types []object) {
	for _, name := range strings.Fields(list) {
		kind := object{"type": "string"}
		name, suffix, typed := strings.Cut(name, ":")
		switch {
		case suffix == "int":
			kind = object{"type": "integer"}
		case suffix == "bool":
			kind = object{"type": "boolean"}
		case typed:
			kind = object{"type": "object"}
		case strings.HasSuffix(name, "[]"):
			name, kind = strings.TrimSuffix(name, "[]"), object{"type": "array", "items": kind}
		}
		names, types = append(names, name), append(types, kind)
	}
	return names, types
}

// describe adds the form to the description of an operation.
func (f form) describe(row object, parameters []object) []object {
	names, types := schemas(f.query)
	for i, name := range names {
		parameters = append(parameters, object{"name": name, "in": "query", "schema": types[i]})
	}
	if names, types = schemas(f.members); names != nil {
		members := object{}
		for i, name := range names {
			members[name] = types[i]
		}
		row["requestBody"] = object{"content": object{"application/json": object{"schema": object{"type": "object", "properties": members}}}}
	}
	return parameters
}
