# shows: A small picture made as large as the screen allows, colours in place, black beside it.
# machine: virt
# fb: virtio
# size: 800x480
# pictures: 320x240
# limit: 240
# fast: yes

pair
plug_in
start_display
start_camera
says display "($SIZE, $DEPTH bits per pixel)"
says display "taking pictures"
goes_on scaled
