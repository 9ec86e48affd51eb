/* SPDX-License-Identifier: MIT */
/*
 * A kernel in assembly only. On i386 arguments are pushed, the last one first, and results come in eax.
 */
    .set MAGIC, 0x1badb002
    .set HEAP_SIZE, 0x10000

    .section .multiboot, "a"
    .balign 4
    .long MAGIC, 0, -MAGIC

    .text
    .globl start
start:
    mov $stack_top, %esp

    push $HEAP_SIZE
    push $heap_start
    call slab_heap_init                 /* 0, or a negative slab_status */
    test %eax, %eax
    jnz failed

    push $8
    push $100
    call slab_alloc                     /* 100 bytes aligned to 8; 0 when there is none */
    test %eax, %eax
    jz failed

    push %eax
    call slab_free

    mov $message, %esi
    mov $message_end - message, %ecx
    mov $0x3f8, %edx                    /* the serial line */
    rep outsb
    mov $0x10, %al                      /* passed */
finish:
    out %al, $0xf4                      /* QEMU's way out */
1:  hlt
    jmp 1b
failed:
    mov $0x11, %al
    jmp finish

    .section .rodata
message:
    .ascii "assembly: allocated and freed\n"
message_end:

    .section .bss
    .balign 4096
heap_start:
    .skip HEAP_SIZE
    .skip 4096
stack_top:

    .section .note.GNU-stack, "", @progbits
