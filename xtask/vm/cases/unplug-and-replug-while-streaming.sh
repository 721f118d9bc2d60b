# shows: The camera is unplugged: the screen says so instead of showing its last picture. It is plugged in again: pictures go on.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240
# limit: 180
# fast: yes

pair
plug_in
start_display
start_camera
says display "taking pictures"
goes_on exact
# The console is the display's to give back, for which root needs CAP_SYS_TTY_CONFIG.
is_confined $DISPLAY_PID 0000000004000000
is_confined $CAMERA_PID 0000000000000000

for time in first second; do
    note "unplugging it for the $time time"
    unplug
    says camera "as when it is unplugged; it is opened again"
    says camera "No camera is there"
    says display "its camera is unplugged"
    shows alarm
    plug_in
    says camera "$SIZE at 5 frames/s"
    says display "taking pictures"
    goes_on exact
done
never_said display "is gone"
