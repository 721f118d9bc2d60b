# shows: The programs of a static build on a Raspberry Pi without a C library, and without a source of randomness.
# machine: raspi3b
# fb: pi16
# size: 320x240
# pictures: 320x240
# programs: static
# limit: 150
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
