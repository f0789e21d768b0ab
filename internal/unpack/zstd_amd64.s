//go:build !purego

#include "textflag.h"

// zstdRecent has, for the numbers 1 to 4, where the recent offsets come from; more than 3 is a new one.
DATA zstdRecent<>+0(SB)/8, $0x0706050403020100
DATA zstdRecent<>+8(SB)/8, $0x808080800b0a0908
DATA zstdRecent<>+16(SB)/8, $0x0706050403020100
DATA zstdRecent<>+24(SB)/8, $0x808080800b0a0908
DATA zstdRecent<>+32(SB)/8, $0x0302010007060504
DATA zstdRecent<>+40(SB)/8, $0x808080800b0a0908
DATA zstdRecent<>+48(SB)/8, $0x030201000b0a0908
DATA zstdRecent<>+56(SB)/8, $0x8080808007060504
DATA zstdRecent<>+64(SB)/8, $0x0302010003020100
DATA zstdRecent<>+72(SB)/8, $0x8080808007060504
GLOBL zstdRecent<>(SB), RODATA|NOPTR, $80

// zstdPatterns has, for offsets up to 15, which of 16 bytes come where when those up to the offset repeat.
DATA zstdPatterns<>+0(SB)/8, $0x0000000000000000
DATA zstdPatterns<>+8(SB)/8, $0x0000000000000000
DATA zstdPatterns<>+16(SB)/8, $0x0000000000000000
DATA zstdPatterns<>+24(SB)/8, $0x0000000000000000
DATA zstdPatterns<>+32(SB)/8, $0x0100010001000100
DATA zstdPatterns<>+40(SB)/8, $0x0100010001000100
DATA zstdPatterns<>+48(SB)/8, $0x0100020100020100
DATA zstdPatterns<>+56(SB)/8, $0x0002010002010002
DATA zstdPatterns<>+64(SB)/8, $0x0302010003020100
DATA zstdPatterns<>+72(SB)/8, $0x0302010003020100
DATA zstdPatterns<>+80(SB)/8, $0x0201000403020100
DATA zstdPatterns<>+88(SB)/8, $0x0004030201000403
DATA zstdPatterns<>+96(SB)/8, $0x0100050403020100
DATA zstdPatterns<>+104(SB)/8, $0x0302010005040302
DATA zstdPatterns<>+112(SB)/8, $0x0006050403020100
DATA zstdPatterns<>+120(SB)/8, $0x0100060504030201
DATA zstdPatterns<>+128(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+136(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+144(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+152(SB)/8, $0x0605040302010008
DATA zstdPatterns<>+160(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+168(SB)/8, $0x0504030201000908
DATA zstdPatterns<>+176(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+184(SB)/8, $0x04030201000a0908
DATA zstdPatterns<>+192(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+200(SB)/8, $0x030201000b0a0908
DATA zstdPatterns<>+208(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+216(SB)/8, $0x0201000c0b0a0908
DATA zstdPatterns<>+224(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+232(SB)/8, $0x01000d0c0b0a0908
DATA zstdPatterns<>+240(SB)/8, $0x0706050403020100
DATA zstdPatterns<>+248(SB)/8, $0x000e0d0c0b0a0908
GLOBL zstdPatterns<>(SB), RODATA|NOPTR, $256

// zstdSteps has the largest multiple of each offset up to 16.
DATA zstdSteps<>+0(SB)/8, $0x0e0c0f100f101000
DATA zstdSteps<>+8(SB)/8, $0x0f0e0d0c0b0a0910
GLOBL zstdSteps<>(SB), RODATA|NOPTR, $16

// func runSequences(s *seqRun)
//
// Of the 8 bytes at SI the bits from Q down are not read yet. They hold the extra bits of the offset, of the match length and of
// the literal length, then those of the next states in the order literals, match, offset. AX has the 8 bytes shifted down by
// one, so that bit Q-n is the lowest of n bits. All shifts take the lowest 6 bits of their counts and BZHI the lowest 8, which
// is where entries have their bits; what is above does not matter. Nothing is kept of a sequence before it was found to be valid.
// The last sequence, which has no next states, is never run: no 8 bytes are left then.
//
//	0(SP) end of the result  8(SP) end of the literals  16(SP) start of the result  24(SP) start of the bits
//	48(SP) zstdRecent from number 1 on  112(SP) 4
//	SI bits  R12 Q  BP tables  R9, R10, R11 states of literals, matches, offsets
//	DI result  R8 literals  X3 recent offsets  X5 sequences done  X6 one
//	R13 literal length  R15 match length  DX offset, then source of the match
TEXT ·runSequences(SB), NOSPLIT, $120-8
	MOVQ    s+0(FP), AX
	MOVQ    0(AX), BX
	MOVQ    BX, 16(SP)
	MOVQ    16(AX), CX
	ADDQ    BX, CX
	MOVQ    CX, 0(SP)
	MOVQ    8(AX), DI
	ADDQ    BX, DI
	MOVQ    24(AX), BX
	MOVQ    40(AX), CX
	ADDQ    BX, CX
	MOVQ    CX, 8(SP)
	MOVQ    32(AX), R8
	ADDQ    BX, R8
	MOVQ    48(AX), BX
	MOVQ    BX, 24(SP)
	MOVQ    56(AX), SI
	ADDQ    BX, SI
	MOVQ    $63, R12
	SUBQ    64(AX), R12
	MOVQ    72(AX), R9
	MOVQ    80(AX), R11
	MOVQ    88(AX), R10
	VMOVDQU 96(AX), X3
	MOVQ    120(AX), BP
	VPXOR   X5, X5, X5
	MOVQ    $1, BX
	VMOVQ   BX, X6
	LEAQ    zstdRecent<>(SB), BX
	VMOVDQU 16(BX), X0
	VMOVDQU X0, 48(SP)
	VMOVDQU 32(BX), X0
	VMOVDQU X0, 64(SP)
	VMOVDQU 48(BX), X0
	VMOVDQU X0, 80(SP)
	VMOVDQU 64(BX), X0
	VMOVDQU X0, 96(SP)
	MOVQ    $4, BX
	MOVQ    BX, 112(SP)

	PCALIGN $64

next:
	MOVQ (SI), AX
	SHRQ $1, AX

	// The values; the bits of the next states are 26 at most.
	MOVBLZX 4097(BP)(R11*8), BX
	SUBQ    BX, R12
	SHRXQ   R12, AX, R14
	BZHIQ   BX, R14, R14
	ADDL    4100(BP)(R11*8), R14
	MOVBLZX 8193(BP)(R10*8), CX
	SUBQ    CX, R12
	SHRXQ   R12, AX, R15
	BZHIQ   CX, R15, R15
	ADDL    8196(BP)(R10*8), R15
	MOVBLZX 1(BP)(R9*8), DX
	SUBQ    DX, R12
	SHRXQ   R12, AX, R13
	BZHIQ   DX, R13, R13
	ADDL    4(BP)(R9*8), R13
	CMPQ    R12, $26
	JLT     undo

	// The offset: the number of a recent one is one more when there are no literals, and 4 is one less than the first.
	MOVQ    R14, BX
	CMPQ    R13, $1
	ADCQ    $0, BX
	CMPQ    BX, $4
	CMOVQCC 112(SP), BX
	SHLL    $4, BX
	VPSHUFB 32(SP)(BX*1), X3, X4
	VMOVD   X4, DX
	CMPQ    BX, $64
	ADCQ    $-1, DX
	SUBQ    $3, R14
	CMOVQHI R14, DX
	VPINSRD $0, DX, X4, X4

	// Only what exists and has room is done.
	TESTQ DX, DX
	JEQ   undo
	LEAQ  (R8)(R13*1), BX
	CMPQ  BX, 8(SP)
	JHI   undo
	LEAQ  (DI)(R13*1), CX
	LEAQ  (CX)(R15*1), R14
	CMPQ  R14, 0(SP)
	JHI   undo
	NEGQ  DX
	ADDQ  CX, DX
	CMPQ  DX, 16(SP)
	JCS   undo

	VMOVDQA X4, X3
	VMOVDQU (R8), X0
	VMOVDQU X0, (DI)
	CMPQ    R13, $16
	JHI     literals

match:
	MOVQ BX, R8
	LEAQ 8(DX), BX
	CMPQ BX, CX
	JHI  near
	MOVQ (DX), BX
	MOVQ BX, (CX)
	MOVQ 8(DX), BX
	MOVQ BX, 8(CX)
	CMPQ R15, $16
	JHI  long

states:
	MOVQ    R14, DI
	MOVQ    (BP)(R9*8), DX
	MOVQ    8192(BP)(R10*8), CX
	MOVQ    4096(BP)(R11*8), BX
	MOVQ    R12, R13
	SUBQ    DX, R13
	MOVQ    R13, R14
	SUBQ    CX, R14
	LEAQ    (DX)(CX*1), R15
	ADDQ    BX, R15
	SUBQ    R15, R12
	SHRXQ   R13, AX, R13
	SHRXQ   R14, AX, R14
	SHRXQ   R12, AX, R15
	BZHIQ   DX, R13, R13
	BZHIQ   CX, R14, R14
	BZHIQ   BX, R15, R15
	MOVWLZX 2(BP)(R9*8), R9
	MOVWLZX 8194(BP)(R10*8), R10
	MOVWLZX 4098(BP)(R11*8), R11
	ADDQ    R13, R9
	ADDQ    R14, R10
	ADDQ    R15, R11

	// The bytes that were read make room for others.
	ANDL $63, R12
	MOVL R12, CX
	SHRL $3, CX
	LEAQ -7(SI)(CX*1), SI
	ORL  $56, R12
	VPADDQ X6, X5, X5
	CMPQ SI, 24(SP)
	JCC  next

done:
	MOVQ    s+0(FP), AX
	SUBQ    16(SP), DI
	MOVQ    DI, 8(AX)
	SUBQ    24(AX), R8
	MOVQ    R8, 32(AX)
	SUBQ    48(AX), SI
	MOVQ    SI, 56(AX)
	MOVQ    $63, BX
	SUBQ    R12, BX
	MOVQ    BX, 64(AX)
	MOVQ    R9, 72(AX)
	MOVQ    R11, 80(AX)
	MOVQ    R10, 88(AX)
	VMOVDQU X3, 96(AX)
	VMOVQ   X5, BX
	SUBQ    BX, 112(AX)
	RET

undo:
	MOVBLZX 4097(BP)(R11*8), BX
	ADDQ    BX, R12
	MOVBLZX 8193(BP)(R10*8), BX
	ADDQ    BX, R12
	MOVBLZX 1(BP)(R9*8), BX
	ADDQ    BX, R12
	JMP     done

literals:
	MOVL $16, R14

moreLiterals:
	VMOVDQU (R8)(R14*1), X0
	VMOVDQU X0, (DI)(R14*1)
	ADDQ    $16, R14
	CMPQ    R14, R13
	JCS     moreLiterals
	LEAQ    (CX)(R15*1), R14
	JMP     match

long:
	MOVQ CX, R13
	SUBQ DX, R13
	CMPQ R13, $16
	JCS  pattern
	MOVL $16, R13

moreMatch:
	VMOVDQU (DX)(R13*1), X1
	VMOVDQU X1, (CX)(R13*1)
	VMOVDQU 16(DX)(R13*1), X1
	VMOVDQU X1, 16(CX)(R13*1)
	ADDQ    $32, R13
	CMPQ    R13, R15
	JCS     moreMatch
	JMP     states

near:
	MOVQ    CX, R13
	SUBQ    DX, R13

	// Copies of the first 16 bytes, as far apart as the offset fits into them.
pattern:
	MOVQ    R13, BX
	SHLQ    $4, BX
	LEAQ    zstdPatterns<>(SB), DI
	VMOVDQU (DX), X1
	VPSHUFB (DI)(BX*1), X1, X1
	LEAQ    zstdSteps<>(SB), DI
	MOVBLZX (DI)(R13*1), BX
	XORL    R13, R13

morePattern:
	VMOVDQU X1, (CX)(R13*1)
	ADDQ    BX, R13
	CMPQ    R13, R15
	JCS     morePattern
	JMP     states
