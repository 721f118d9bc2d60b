# shows: What is no camera with MJPEG is refused in plain words: a metadata node, the kernel's test driver, a camera with raw pictures only.
# machine: virt
# fb: none
# size: 640x480
# pictures: 640x480
# limit: 180
# fast: yes

# refused NAME STATUS WORDS... -- OPTIONS...: the camera's program ends at once with this status, and says each of these.
refused() {
    name=$1 status=$2; shift 2
    : >/run/words
    while [ "$1" != -- ]; do echo "$1" >>/run/words; shift; done
    shift
    start_log "$name"
    sealcam-client --state $STATE/camera "$@" </dev/null >"/log/$name" 2>&1 3>&- &
    ends $! "$name" "$status"
    while read -r words; do
        grep -q -F -e "$words" "/log/$name" || fail "$name: not said: $words. It said: $(tail -n 1 "/log/$name")"
    done </run/words
}

pair
refused no-camera 0 "No camera was found: there is no /dev/video*." "Plug in a USB camera" -- cameras

plug_in
comes_true "the camera has its metadata node" test -c /dev/video1
refused metadata-node 6 "/dev/video1" "gives no pictures: it is another node of the device, for metadata or output" -- --source camera:/dev/video1
refused one-camera 0 "--source camera:" "640x480" -- cameras
! grep -q /dev/video1 /log/one-camera || fail "the metadata node is listed as a camera"
unplug

plug_in --only-yuyv
refused raw-camera 6 "gives no MJPEG, only YUYV" "--source -" -- --source camera:/dev/video0
unplug

modprobe vivid n_devs=1 node_types=0x1
comes_true "the test driver's camera is there" test -c /dev/video0
refused test-driver 6 "(vivid) gives no MJPEG, only YUYV" -- --source camera:/dev/video0
refused test-driver-listed 0 "no MJPEG, so it cannot be used here" -- cameras
start_camera
says camera "No camera that gives MJPEG is there; found /dev/video0 (vivid: YUYV"
stop $CAMERA_PID "the camera's program"
