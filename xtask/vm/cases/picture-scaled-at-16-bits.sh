# shows: A small picture made large with 16 bits a pixel, on a Raspberry Pi.
# machine: raspi3b
# fb: pi16
# size: 400x240
# pictures: 160x120
# limit: 150
# fast: no

pair
plug_in
start_display
start_camera
says display "($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on scaled
