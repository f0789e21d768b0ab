// Package javascript is tests only: TileDB's JavaScript client, unmodified, against the server.
package javascript
