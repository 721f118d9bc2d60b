# shows: The display's program ends, and is killed, and starts again: the camera comes back to it by itself.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240
# limit: 240
# fast: no

pair
plug_in
start_display
start_camera
says display "taking pictures"
goes_on exact

stop $DISPLAY_PID "the display's program"
says camera "Disconnected from the display"
start_display
says display "taking pictures"
says camera "Connected to the display"
goes_on exact

kill -KILL $DISPLAY_PID
ends $DISPLAY_PID "the display's program" 137
start_display
says display "taking pictures"
goes_on exact
kill -0 $CAMERA_PID || fail "the camera's program has ended"
