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
    push %esp
    addl $5 * 4, (%esp)                 /* esp before the CPU's frame and ours: five words */
    push %ebp
    push %edi
    push %esi
    push %edx
    push %ecx
    push %ebx
    push %eax
    mov %esp, %ebp                      /* backtraces find the frame by it */
    and $-16, %esp
    sub $12, %esp
    push %ebp
    call interrupt
    .globl entry_returns
entry_returns:
    mov %ebp, %esp
    pop %eax
    pop %ebx
    pop %ecx
    pop %edx
    pop %esi
    pop %edi
    pop %ebp
    add $3 * 4, %esp                    /* esp, which comes back by itself, the vector and the error code */
    iret

    .globl clock_entry
clock_entry:
    push %eax
    mov $0x20, %al                      /* end of interrupt, to the interrupt controller */
    outb %al, $0x20
    pop %eax
    iret

    .section .note.GNU-stack, "", @progbits
