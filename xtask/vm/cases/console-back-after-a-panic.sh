# shows: The text console is back after a panic of the main thread, and of the one that paints.
# machine: virt
# fb: virtio
# size: 640x480
# pictures: 640x480
# limit: 240
# fast: yes

pair
plug_in
start_camera
for thread in main painter; do
    write_console before-$thread
    export LD_PRELOAD=/vm/bin/fault.so
    start_display
    unset LD_PRELOAD
    says display "taking pictures"
    goes_on exact
    note "a panic of $thread"
    echo now >/run/fault-$thread
    case $thread in
    main) kill -TERM $DISPLAY_PID; ends $DISPLAY_PID "the display's program" 101 ;;
    painter) ends $DISPLAY_PID "the display's program" 1 ;;
    esac
    : >/run/fault-$thread
    says display "panicked"
    console_is_back before-$thread
done
