# A user's systemd, and an empty table of cron, in a mount namespace of their own: what the tests
# install there is gone with it. Arguments: the folder for HOME, then the command to run.
set -e
home=$1
shift
mount -t tmpfs none /run
mkdir -p /run/systemd/system /run/user/0
chmod 700 /run/user/0
export XDG_RUNTIME_DIR=/run/user/0 HOME="$home"
/usr/lib/systemd/systemd --user >"$home/systemd.log" 2>&1 &
for _ in $(seq 100); do
    systemctl --user show --property=Version >/dev/null 2>&1 && break
    sleep 0.1
done
"$@"
