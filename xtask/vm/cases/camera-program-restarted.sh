# shows: The camera's program ends, and is killed, and starts again: the screen says that it is gone, and shows its pictures again.
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

stop $CAMERA_PID "the camera's program"
says display "Camera porch is gone: it ended its stream."
shows alarm
start_camera
says display "taking pictures"
goes_on exact

kill -KILL $CAMERA_PID
ends $CAMERA_PID "the camera's program" 137
says display "Camera porch is gone: nothing has come from it"
shows alarm
start_camera
says display "taking pictures"
goes_on exact
