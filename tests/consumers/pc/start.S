/* SPDX-License-Identifier: MIT */
/*
 * From a Multiboot loader to kernel_main, on a stack. What every kernel has before it has a heap.
 */
    .set MAGIC, 0x1badb002

    .section .multiboot, "a"
    .balign 4
    .long MAGIC, 0, -MAGIC

    .text
    .globl start
start:
    mov $stack_top, %esp
    call kernel_main
1:  hlt
    jmp 1b

    .section .bss
    .balign 16
    .skip 16384
stack_top:

    .section .note.GNU-stack, "", @progbits
