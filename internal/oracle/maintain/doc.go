// Package maintain compares our maintenance with libtiledb's: random arrays that it wrote are consolidated and vacuumed by
// both, each reads what the other left, at past times too, and the metadata of the merged fragments is the same. It has
// tests only.
package maintain
