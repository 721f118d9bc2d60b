# shows: The picture with 16 bits a pixel (5, 6 and 5 a colour), on a Raspberry Pi.
# machine: raspi3b
# fb: pi16
# size: 320x240
# pictures: 320x240
# limit: 150
# fast: yes

pair
plug_in
start_display
start_camera
says display "Pictures go to /dev/fb0 ($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on exact
