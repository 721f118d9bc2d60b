# shows: The text console is back as it was after SIGTERM and SIGHUP, and after SIGKILL at the end of the next start.
# machine: virt
# fb: virtio
# size: 640x480
# pictures: 640x480
# limit: 240
# fast: yes

pair
plug_in
# In graphics mode nothing is drawn over what the display shows.
start_display
shows words
console_keeps_quiet
stop $DISPLAY_PID "the display's program"
start_camera
for signal in TERM HUP; do
    write_console before-$signal
    start_display
    says display "taking pictures"
    goes_on exact
    write_console_silently before-$signal
    note "SIG$signal"
    kill -$signal $DISPLAY_PID
    ends $DISPLAY_PID "the display's program" 0
    console_is_back before-$signal
done

write_console before-KILL
start_display
says display "taking pictures"
shows exact
note "SIGKILL"
kill -KILL $DISPLAY_PID
ends $DISPLAY_PID "the display's program" 137
start_display
says display "taking pictures"
goes_on exact
write_console_silently before-KILL
stop $DISPLAY_PID "the display's program"
console_is_back before-KILL
