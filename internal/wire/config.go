package wire

import (
	"strconv"

	"azulejo/internal/wire/capnp"
)

// Config holds those of the client's settings that the server acts upon. It never holds the token.
type Config map[string]string

// cursorKey is the private entry of a query's configuration in which a reply tells the server's next call where to go
// on. Clients send it back as they got it.
const cursorKey = "azulejo.cursor"

// kept are the entries of the client's configuration that are read; it sends some 150.
var kept = map[string]bool{
	"rest.load_enumerations_on_array_open":             true,
	"rest.load_enumerations_on_array_open_all_schemas": true,
	"rest.load_metadata_on_array_open":                 true,
	"rest.load_non_empty_domain_on_array_open":         true,
	"sm.group.timestamp_end":                           true,
	"sm.group.timestamp_start":                         true,
	"sm.var_offsets.bitsize":                           true,
	"sm.var_offsets.extra_element":                     true,
	"sm.var_offsets.mode":                              true,
}

// decodeConfig reads the entries a server may act upon and, separately, the cursor.
func decodeConfig(p *place, m capnp.Config, err error) (c Config, cursor string) {
	c = Config{}
	if !p.check(err) {
		return c, ""
	}
	entries, err := m.Entries()
	p = p.at("entries")
	for i := range p.length(entries, err) {
		kv := entries.At(i)
		key, err := kv.KeyBytes()
		p.check(err)
		switch {
		case string(key) == cursorKey:
			cursor, err = kv.Value()
		case kept[string(key)]:
			c[string(key)], err = kv.Value()
		}
		p.check(err)
	}
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

// Uint64 returns a setting that is a number, otherwise when it is absent or none.
func (c Config) Uint64(key string, otherwise uint64) uint64 {
	v, err := strconv.ParseUint(c[key], 10, 64)
	if err != nil {
		return otherwise
	}
	return v
}

// DecodeConfigRequest reads the body of a request that carries nothing else the server needs: POST …/fragment_info,
// …/consolidate, …/vacuum and the opening of groups.
func DecodeConfigRequest(body []byte) (Config, error) {
	root, err := openWhole(body)
	if err != nil {
		return nil, err
	}
	p := newPlace()
	// In every one of these messages the configuration is the first pointer.
	config, err := capnp.FragmentInfoRequest(root).Config()
	c, _ := decodeConfig(p.at("config"), config, err)
	return c, p.err()
}
