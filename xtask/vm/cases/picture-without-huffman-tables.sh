# shows: A camera that leaves the Huffman tables out of its JPEGs, as many do: the pictures are the same.
# machine: virt
# fb: virtio
# size: 320x240
# pictures: 320x240 no-dht
# limit: 120
# fast: yes

# That they are left out is worth a look, or this case would show nothing.
case "$(hexdump -v -e '1/1 "%02x "' $PICTURES/$SIZE/1.jpg)" in
*"ff c4 "*) fail "the pictures do have tables" ;;
"ff d8 "*"ff da "*) ;;
*) fail "there is no picture to look at" ;;
esac

pair
plug_in
start_display
start_camera
says display "taking pictures"
goes_on exact
