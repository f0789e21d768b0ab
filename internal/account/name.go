package account

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

const (
	maxName     = 63
	minPassword = 8
	maxPassword = 1024
)

// reserved names are the static segments of the API's and the console's paths:
// a namespace of such a name would be shadowed by a route. Taken from the
// published paths of API versions 1 and 2 and our own pages.
var reserved = setOf(`
	activity api array array_metadata arrays assets aws azure browser change_credentials confirm_email consolidate content_activity
	contents copy create credentials delete delete_fragments delete_fragments_list deregister docs end_timestamps enumerations
	est_result_sizes evolve executions export favorites favourites favicon.ico files filters finalize fragment_end_timestamp
	fragment_info gcp generic get_file graphs group groups healthz invitations join last_accessed log login logout logs
	max_buffer_sizes me metadata metadata_json metrics ml_models namespaces non_empty_domain non_empty_domain_json notebooks null
	organization organizations owned password_reset plan prune public public_assets query readyz register registered rename
	report_client_node resubmit result retry robots.txt run_check sample schema scopes self server session sessions settings share
	share_payment shared sidebar sign-in sign-out sql sso_domain sso_domains static stats .stats status stop submit
	submit_and_finalize submit_query_json system task taskgraphs tasks tiledb token tokens udf udfs undefined upload user users
	uuids v1 v2 v3 v4 vacuum well-known .well-known service_accounts`)

func setOf(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// Reserved reports whether name, whatever its case, may not be a user's or
// organization's because a route of the API uses it.
func Reserved(name string) bool { return reserved[key(name)] }

// key is the form of a name that is unique.
func key(name string) string { return strings.ToLower(name) }

// CheckName returns nil if name can be a user's: 1 to 63 ASCII letters, digits,
// '_', '-' or '.', at least one letter or digit, not a UUID and not reserved.
// The error is of class ErrInvalid.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("%w: a user name has 1 to %d characters", ErrInvalid, maxName)
	}
	solid := false
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
			solid = true
		case c == '_', c == '-', c == '.':
		default:
			return fmt.Errorf("%w: a user name is made of letters, digits, '_', '-' and '.'", ErrInvalid)
		}
	}
	if !solid {
		return fmt.Errorf("%w: a user name needs a letter or a digit", ErrInvalid)
	}
	if Reserved(name) {
		return fmt.Errorf("%w: the name %q is reserved", ErrInvalid, name)
	}
	if _, err := uuid.Parse(name); err == nil {
		return fmt.Errorf("%w: a user name must not be a UUID", ErrInvalid)
	}
	return nil
}

// CheckPassword returns nil for a password that will do, else an error of class ErrInvalid. It asks only for length: rules about kinds of characters make
// passwords worse.
func CheckPassword(p string) error {
	switch n := utf8.RuneCountInString(p); {
	case n < minPassword:
		return fmt.Errorf("%w: a password has at least %d characters", ErrInvalid, minPassword)
	case len(p) > maxPassword:
		return fmt.Errorf("%w: a password has at most %d bytes", ErrInvalid, maxPassword)
	case !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl):
		return fmt.Errorf("%w: a password is UTF-8 text without control characters", ErrInvalid)
	}
	return nil
}
