# shows: Rows that are longer in memory than on the screen: the picture is not skewed, and nothing is painted beyond it.
# machine: raspi3b
# fb: pi16
# size: 320x240
# pictures: 320x240
# limit: 150
# fast: yes
# line: 400

pair
plug_in
start_display
start_camera
says display "Pictures go to /dev/fb0 ($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on exact
