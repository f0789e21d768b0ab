//go:build amd64 && !purego

#include "textflag.h"

// UNPACK interleaves the bytes of a and b: the lower halves into a, the upper ones into t. b is free afterwards.
// Seen as numbers of 7 bits, register and place, one such round over registers that differ in one bit exchanges that
// bit with the highest bit of the place, which all move up by one. Rounds in the right order are all transpositions below.
#define UNPACK(a, b, t) \
	MOVO      a, t; \
	PUNPCKLBW b, a; \
	PUNPCKHBW b, t

// SWAP exchanges the bits of a that m selects, shifted up by s, with the bits of b that m selects. t is scratch.
#define SWAP(a, b, t, s, m) \
	MOVO  a, t;  \
	PSRLQ $s, t; \
	PXOR  b, t;  \
	PAND  m, t;  \
	PXOR  t, b;  \
	PSLLQ $s, t; \
	PXOR  t, a

// MASK fills x with the byte pattern v, through AX.
#define MASK(v, x) \
	MOVQ       $v, AX; \
	MOVQ       AX, x;  \
	PUNPCKLQDQ x, x

// BITS transposes the squares of 8 by 8 bits at each place of 8 registers, with the masks in X12 to X14.
#define BITS(a, b, c, d, e, f, g, h, t) \
	SWAP(a, b, t, 1, X12); \
	SWAP(c, d, t, 1, X12); \
	SWAP(e, f, t, 1, X12); \
	SWAP(g, h, t, 1, X12); \
	SWAP(a, c, t, 2, X13); \
	SWAP(b, d, t, 2, X13); \
	SWAP(e, g, t, 2, X13); \
	SWAP(f, h, t, 2, X13); \
	SWAP(a, e, t, 4, X14); \
	SWAP(b, f, t, 4, X14); \
	SWAP(c, g, t, 4, X14); \
	SWAP(d, h, t, 4, X14)

// func unshuffleWords2(dst, src *byte, stride, n int)
// Makes n values of 2 bytes of planes that are stride bytes apart; n is a multiple of 16 and above 0.
TEXT ·unshuffleWords2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	MOVQ SI, BX
	MOVOU (BX), X0
	ADDQ DX, BX
	MOVOU (BX), X1
	UNPACK(X0, X1, X2)
	MOVOU X0, 0(DI)
	MOVOU X2, 16(DI)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func unshuffleWords4(dst, src *byte, stride, n int)
// Makes n values of 4 bytes of planes that are stride bytes apart; n is a multiple of 16 and above 0.
TEXT ·unshuffleWords4(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	MOVQ SI, BX
	MOVOU (BX), X0
	ADDQ DX, BX
	MOVOU (BX), X1
	ADDQ DX, BX
	MOVOU (BX), X2
	ADDQ DX, BX
	MOVOU (BX), X3
	UNPACK(X0, X2, X4)
	UNPACK(X1, X3, X2)
	UNPACK(X0, X1, X3)
	UNPACK(X4, X2, X1)
	MOVOU X0, 0(DI)
	MOVOU X3, 16(DI)
	MOVOU X4, 32(DI)
	MOVOU X1, 48(DI)
	ADDQ $16, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func unshuffleWords8(dst, src *byte, stride, n int)
// Makes n values of 8 bytes of planes that are stride bytes apart; n is a multiple of 16 and above 0.
TEXT ·unshuffleWords8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	MOVQ SI, BX
	MOVOU (BX), X0
	ADDQ DX, BX
	MOVOU (BX), X1
	ADDQ DX, BX
	MOVOU (BX), X2
	ADDQ DX, BX
	MOVOU (BX), X3
	ADDQ DX, BX
	MOVOU (BX), X4
	ADDQ DX, BX
	MOVOU (BX), X5
	ADDQ DX, BX
	MOVOU (BX), X6
	ADDQ DX, BX
	MOVOU (BX), X7
	UNPACK(X0, X4, X8)
	UNPACK(X1, X5, X4)
	UNPACK(X2, X6, X5)
	UNPACK(X3, X7, X6)
	UNPACK(X0, X2, X7)
	UNPACK(X1, X3, X2)
	UNPACK(X8, X5, X3)
	UNPACK(X4, X6, X5)
	UNPACK(X0, X1, X6)
	UNPACK(X7, X2, X1)
	UNPACK(X8, X4, X2)
	UNPACK(X3, X5, X4)
	MOVOU X0, 0(DI)
	MOVOU X6, 16(DI)
	MOVOU X7, 32(DI)
	MOVOU X1, 48(DI)
	MOVOU X8, 64(DI)
	MOVOU X2, 80(DI)
	MOVOU X3, 96(DI)
	MOVOU X4, 112(DI)
	ADDQ $16, SI
	ADDQ $128, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func shuffleWords2(dst, src *byte, stride, n int)
// Splits n values of 2 bytes into planes that are stride bytes apart; n is a multiple of 16 and above 0.
TEXT ·shuffleWords2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	UNPACK(X0, X1, X2)
	UNPACK(X0, X2, X1)
	UNPACK(X0, X1, X2)
	UNPACK(X0, X2, X1)
	MOVQ DI, BX
	MOVOU X0, (BX)
	ADDQ DX, BX
	MOVOU X1, (BX)
	ADDQ $32, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func shuffleWords4(dst, src *byte, stride, n int)
// Splits n values of 4 bytes into planes that are stride bytes apart; n is a multiple of 16 and above 0.
TEXT ·shuffleWords4(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	UNPACK(X0, X2, X4)
	UNPACK(X1, X3, X2)
	UNPACK(X0, X1, X3)
	UNPACK(X4, X2, X1)
	UNPACK(X0, X4, X2)
	UNPACK(X3, X1, X4)
	UNPACK(X0, X3, X1)
	UNPACK(X2, X4, X3)
	MOVQ DI, BX
	MOVOU X0, (BX)
	ADDQ DX, BX
	MOVOU X1, (BX)
	ADDQ DX, BX
	MOVOU X2, (BX)
	ADDQ DX, BX
	MOVOU X3, (BX)
	ADDQ $64, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func shuffleWords8(dst, src *byte, stride, n int)
// Splits n values of 8 bytes into planes that are stride bytes apart; n is a multiple of 16 and above 0.
TEXT ·shuffleWords8(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX

loop:
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVOU 64(SI), X4
	MOVOU 80(SI), X5
	MOVOU 96(SI), X6
	MOVOU 112(SI), X7
	UNPACK(X0, X4, X8)
	UNPACK(X1, X5, X4)
	UNPACK(X2, X6, X5)
	UNPACK(X3, X7, X6)
	UNPACK(X0, X2, X7)
	UNPACK(X1, X3, X2)
	UNPACK(X8, X5, X3)
	UNPACK(X4, X6, X5)
	UNPACK(X0, X1, X6)
	UNPACK(X7, X2, X1)
	UNPACK(X8, X4, X2)
	UNPACK(X3, X5, X4)
	UNPACK(X0, X8, X5)
	UNPACK(X6, X2, X8)
	UNPACK(X7, X3, X2)
	UNPACK(X1, X4, X3)
	MOVQ DI, BX
	MOVOU X0, (BX)
	ADDQ DX, BX
	MOVOU X5, (BX)
	ADDQ DX, BX
	MOVOU X6, (BX)
	ADDQ DX, BX
	MOVOU X8, (BX)
	ADDQ DX, BX
	MOVOU X7, (BX)
	ADDQ DX, BX
	MOVOU X2, (BX)
	ADDQ DX, BX
	MOVOU X1, (BX)
	ADDQ DX, BX
	MOVOU X3, (BX)
	ADDQ $128, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func joinBits(dst, src *byte, stride, n int)
// Makes 8 bytes of each byte of 8 bit planes that are stride bytes apart, for n bytes of every plane.
TEXT ·joinBits(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX
	MASK(0x5555555555555555, X12)
	MASK(0x3333333333333333, X13)
	MASK(0x0F0F0F0F0F0F0F0F, X14)

loop:
	MOVQ SI, BX
	MOVOU (BX), X0
	ADDQ DX, BX
	MOVOU (BX), X1
	ADDQ DX, BX
	MOVOU (BX), X2
	ADDQ DX, BX
	MOVOU (BX), X3
	ADDQ DX, BX
	MOVOU (BX), X4
	ADDQ DX, BX
	MOVOU (BX), X5
	ADDQ DX, BX
	MOVOU (BX), X6
	ADDQ DX, BX
	MOVOU (BX), X7
	BITS(X0, X1, X2, X3, X4, X5, X6, X7, X8)
	UNPACK(X0, X4, X8)
	UNPACK(X1, X5, X4)
	UNPACK(X2, X6, X5)
	UNPACK(X3, X7, X6)
	UNPACK(X0, X2, X7)
	UNPACK(X1, X3, X2)
	UNPACK(X8, X5, X3)
	UNPACK(X4, X6, X5)
	UNPACK(X0, X1, X6)
	UNPACK(X7, X2, X1)
	UNPACK(X8, X4, X2)
	UNPACK(X3, X5, X4)
	MOVOU X0, 0(DI)
	MOVOU X6, 16(DI)
	MOVOU X7, 32(DI)
	MOVOU X1, 48(DI)
	MOVOU X8, 64(DI)
	MOVOU X2, 80(DI)
	MOVOU X3, 96(DI)
	MOVOU X4, 112(DI)
	ADDQ $16, SI
	ADDQ $128, DI
	SUBQ $16, CX
	JNZ  loop
	RET

// func splitBits(dst, src *byte, stride, n int)
// Splits groups of 8 bytes into 8 bit planes that are stride bytes apart, n bytes of every plane.
TEXT ·splitBits(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ n+24(FP), CX
	MASK(0x5555555555555555, X12)
	MASK(0x3333333333333333, X13)
	MASK(0x0F0F0F0F0F0F0F0F, X14)

loop:
	MOVOU 0(SI), X0
	MOVOU 16(SI), X1
	MOVOU 32(SI), X2
	MOVOU 48(SI), X3
	MOVOU 64(SI), X4
	MOVOU 80(SI), X5
	MOVOU 96(SI), X6
	MOVOU 112(SI), X7
	UNPACK(X0, X4, X8)
	UNPACK(X1, X5, X4)
	UNPACK(X2, X6, X5)
	UNPACK(X3, X7, X6)
	UNPACK(X0, X2, X7)
	UNPACK(X1, X3, X2)
	UNPACK(X8, X5, X3)
	UNPACK(X4, X6, X5)
	UNPACK(X0, X1, X6)
	UNPACK(X7, X2, X1)
	UNPACK(X8, X4, X2)
	UNPACK(X3, X5, X4)
	UNPACK(X0, X8, X5)
	UNPACK(X6, X2, X8)
	UNPACK(X7, X3, X2)
	UNPACK(X1, X4, X3)
	BITS(X0, X5, X6, X8, X7, X2, X1, X3, X4)
	MOVQ DI, BX
	MOVOU X0, (BX)
	ADDQ DX, BX
	MOVOU X5, (BX)
	ADDQ DX, BX
	MOVOU X6, (BX)
	ADDQ DX, BX
	MOVOU X8, (BX)
	ADDQ DX, BX
	MOVOU X7, (BX)
	ADDQ DX, BX
	MOVOU X2, (BX)
	ADDQ DX, BX
	MOVOU X1, (BX)
	ADDQ DX, BX
	MOVOU X3, (BX)
	ADDQ $128, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ  loop
	RET
