/* SPDX-License-Identifier: MIT */
/*
 * Where the CPU enters on an exception or an interrupt: one entry per vector, 16 bytes apart. Each completes
 * the frame that exceptions.h describes: by its number, by a 0 where the CPU has not pushed an error code,
 * and by the registers. What comes back from its handler goes on where it was. The clock's interrupt only has
 * to be acknowledged; what waits for it is behind its hlt.
 */

    .set WITH_ERROR_CODE, 0x60227d00    /* one bit per vector */
    .set vector, 0

    .text
    .globl exception_entries
    .balign 16
exception_entries:
    .rept 64
    .balign 16
    .if vector > 31 || ((WITH_ERROR_CODE >> vector) & 1) == 0
    push $0
    .endif
    push $vector
    jmp enter
    .set vector, vector + 1
    .endr

enter:
    cld
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push 8 * 8 + 5 * 8(%rsp)            /* rsp, as the CPU pushed it above the five words of our frame */
    push %rbp
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rbx
    push %rax
    mov %rsp, %rdi
    mov %rsp, %rbp                      /* backtraces find the frame by it */
    and $-16, %rsp
    call interrupt
    .globl entry_returns
entry_returns:
    mov %rbp, %rsp
    pop %rax
    pop %rbx
    pop %rcx
    pop %rdx
    pop %rsi
    pop %rdi
    pop %rbp
    add $8, %rsp                        /* rsp comes back with the CPU's frame */
    pop %r8
    pop %r9
    pop %r10
    pop %r11
    pop %r12
    pop %r13
    pop %r14
    pop %r15
    add $2 * 8, %rsp                    /* the vector and the error code */
    iretq

    .globl clock_entry
clock_entry:
    push %rax
    mov $0x20, %al                      /* end of interrupt, to the interrupt controller */
    outb %al, $0x20
    pop %rax
    iretq

    .section .note.GNU-stack, "", @progbits
