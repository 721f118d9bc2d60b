# shows: The programs of a static build, in a guest that has no C library.
# machine: virt
# fb: virtio
# size: 640x480
# pictures: 640x480
# programs: static
# limit: 120
# fast: no

for file in /lib/libc.so* /lib/ld-linux*; do
    test ! -e "$file" || fail "the guest has $file"
done
pair
plug_in
start_display
start_camera
says display "taking pictures"
goes_on exact
