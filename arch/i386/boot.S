/* SPDX-License-Identifier: MIT */
/*
 * From the loader to the kernel on i386. A Multiboot loader enters in 32-bit mode without paging, and so it
 * stays. After the segments this makes the heap and moves the kernel's stack and boot record into it, by the
 * C ABI's plain calls: arguments on the stack, the first on top, left there because the kernel never returns
 * through them. Nothing in C++ but the heap itself has run by then.
 */

    .set MULTIBOOT_MAGIC, 0x1badb002
    .set MULTIBOOT_FLAGS, 3             /* modules on page borders; the memory's sizes */
    .set PAGE, 4096
    .set STACK_BYTES, 16384
    .set SMALL, 100                     /* bytes of a block to try the heap with */

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .section .bss
    .balign 16
boot_stack:
    .skip STACK_BYTES
boot_stack_top:

    .section .rodata
    .balign 8
descriptors:
    .quad 0
    .quad 0x00cf9a000000ffff            /* 0x08: code, all 4 GiB */
    .quad 0x00cf92000000ffff            /* 0x10: data, all 4 GiB */
descriptors_end:
descriptor_register:
    .word descriptors_end - descriptors - 1
    .long descriptors

/* The loader's words: eax, its magic number, and ebx, its records. */
    .text
    .globl start
start:
    cld
    mov $boot_stack_top, %esp
    lgdt descriptor_register
    ljmp $0x08, $1f
1:  mov $0x10, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    mov %ecx, %fs
    mov %ecx, %gs
    mov %ecx, %ss
    push %ebx
    push %eax
    call early_start

/* The heap: its first region is what early_start found in the loader's map. */
    push first_region + 4
    push first_region
    call slab_heap_init
    push $no_heap
    test %eax, %eax
    jnz panic_called
    push first_region + 4
    push first_region
    push $heap_text
    call print

/* The kernel's stack: pages of the heap. */
    push $PAGE
    push $STACK_BYTES
    call slab_alloc
    push $no_stack
    test %eax, %eax
    jz panic_called
    test $PAGE - 1, %eax
    jnz panic_called
    lea STACK_BYTES(%eax), %esp
    push %eax
    push $PAGE
    push $STACK_BYTES
    push $stack_text
    call print

/* A block that is freed is the next one of its size class that is handed out. */
    push $8
    push $SMALL
    call slab_alloc
    mov %eax, %ebx
    push $no_block
    test %eax, %eax
    jz panic_called
    push %ebx
    push $8
    push $SMALL
    push $block_text
    call print
    push %ebx
    call slab_free
    push %ebx
    push $free_text
    call print
    push $8
    push $SMALL
    call slab_alloc
    push $not_again
    cmp %eax, %ebx
    jne panic_called
    push %ebx
    push $8
    push $SMALL
    push $again_text
    call print
    push %ebx
    call slab_free

/* The boot record, which C fills in. */
    push $16
    push boot_info_bytes
    call slab_alloc
    mov %eax, %ebx
    push $no_block
    test %eax, %eax
    jz panic_called
    push %ebx
    push $16
    push boot_info_bytes
    push $record_text
    call print
    push %ebx
    call early_main                     /* does not return */

/* The sentence was pushed before the test that led here. */
panic_called:
    call panic

    .section .note.GNU-stack, "", @progbits
