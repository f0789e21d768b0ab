package wire

import "strconv"

// Config holds those of the client's settings that the server acts upon. It never holds the token.
type Config map[string]string

// cursorKey is the private entry of a query's configuration in which a reply tells the server's next call where to go
// on. Clients send it back as they got it.
const cursorKey = "azulejo.cursor"

// kept are the entries of the client's configuration that are read, each with its own key; it sends some 150.
var kept = ownKeys(
	"rest.load_enumerations_on_array_open",
	"rest.load_enumerations_on_array_open_all_schemas",
	"rest.load_metadata_on_array_open",
	"rest.load_non_empty_domain_on_array_open",
	"sm.allow_separate_attribute_writes",
	"sm.consolidation.amplification",
	"sm.consolidation.max_fragment_size",
	"sm.consolidation.mode",
	"sm.consolidation.purge_deleted_cells",
	"sm.consolidation.step_max_frags",
	"sm.consolidation.step_min_frags",
	"sm.consolidation.step_size_ratio",
	"sm.consolidation.steps",
	"sm.consolidation.timestamp_end",
	"sm.consolidation.timestamp_start",
	"sm.group.timestamp_end",
	"sm.group.timestamp_start",
	"sm.var_offsets.bitsize",
	"sm.var_offsets.extra_element",
	"sm.var_offsets.mode",
	"sm.vacuum.mode",
)

// ownKeys maps each key to itself.
func ownKeys(keys ...string) map[string]string {
	own := make(map[string]string, len(keys))
	for _, k := range keys {
		own[k] = k
	}
	return own
}

// The pointers of the configuration in the roots of requests.
const (
	requestConfig = 0 // of every request but queries
	queryConfig   = 8
)

// wanted tells whether an entry is read. Two thirds of them are not told from those by more than their first letter.
func wanted(key []byte) bool {
	if len(key) == 0 || key[0] != 's' && key[0] != 'r' && key[0] != cursorKey[0] {
		return false
	}
	return kept[string(key)] != "" || string(key) == cursorKey
}

// decodeConfig reads the entries of a message's configuration that a server may act upon and, separately, the cursor.
func decodeConfig(p *place, message []byte, slot int64) (c Config, cursor string) {
	c = make(Config, len(kept))
	err := settings(message, slot, wanted, func(key, value []byte) {
		switch name := kept[string(key)]; {
		case name == "":
			cursor = string(value)
		case string(value) == "true":
			c[name] = "true"
		case string(value) == "false":
			c[name] = "false"
		default:
			c[name] = string(value)
		}
	})
	p.check(err)
	return c, cursor
}

// Bool returns a setting that is "true" or "false", otherwise when it is absent or neither.
func (c Config) Bool(key string, otherwise bool) bool {
	switch c[key] {
	case "true":
		return true
	case "false":
		return false
	}
	return otherwise
}

// Text returns a setting, otherwise when it is absent or empty.
func (c Config) Text(key, otherwise string) string {
	if v := c[key]; v != "" {
		return v
	}
	return otherwise
}

// Uint64 returns a setting that is a number, otherwise when it is absent or none.
func (c Config) Uint64(key string, otherwise uint64) uint64 {
	v, err := strconv.ParseUint(c[key], 10, 64)
	if err != nil {
		return otherwise
	}
	return v
}

// DecodeConfigRequest reads the body of a request that carries nothing else the server needs: POST …/fragment_info,
// …/vacuum and the opening of groups.
func DecodeConfigRequest(body []byte) (Config, error) {
	if _, err := openWhole(body); err != nil {
		return nil, err
	}
	p := newPlace()
	c, _ := decodeConfig(p.at("config"), body, requestConfig)
	return c, p.err()
}
