// Package capjson turns messages of the protocol into JSON and back, as clients with rest.server_serialization_format=JSON
// want them. It knows no message: what it writes and reads follows from the schema that package capnp carries along, so every
// message has one meaning, that of package wire.
//
// # The form
//
// It is that of Cap'n Proto's own codec for JSON. A struct is an object of its fields by name; fields that lead to nothing are left out,
// numbers and truth values are always there. Of the members of a union only the one that is set stands in the object; a named union and
// a group are objects of their own. A list is an array, bytes are an array of numbers, a number of 64 bits is a text, and so are the
// floating-point values NaN, Infinity and -Infinity. Texts keep their bytes, also where they are not UTF-8.
//
// What is read may have more: some fields have a second name (otherNames), names that the schema does not know are passed over, null is a field left out, a number may be given
// as a text, and one zero byte may follow the end, as the clients send it.
//
// # Bytes from strangers
//
// Nesting is bounded, and so is the length of a number. Objects without fields become structs of many bytes, so what a body is turned
// into is bounded by a multiple of its length. Every fault wraps ErrMalformed and names the field by its path.
package capjson
