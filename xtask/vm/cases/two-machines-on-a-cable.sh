# shows: A camera on one machine and the screen of a Raspberry Pi on another, over Ethernet.
# machine: virt raspi3b
# fb: none pi16
# size: 320x240
# pictures: 320x240
# limit: 240
# fast: yes

# Both have the same keys on board, so each pairs both sides; only one of them then runs here.
start_network
pair 10.9.0.2:5000
if [ $GUEST = 1 ]; then
    flag display-listens
    plug_in
    start_camera
    says camera "Connected to the display at 10.9.0.2"
    flag picture-seen
    unplug
    flag words-seen
    stop $CAMERA_PID "the camera's program"
else
    start_display
    says display "Listening on"
    ask raise display-listens
    says display "is connected from 10.9.0.1"
    says display "taking pictures"
    goes_on exact
    ask raise picture-seen
    says display "its camera is unplugged"
    shows alarm
    ask raise words-seen
    says display "Camera porch is gone: it ended its stream."
fi
