#!/bin/sh
# steps.sh FILE...: one file is one step, and one line of it one installation: a later step may replace what an earlier one brought.
set -e
if [ "$INSTALLER" = uv ]; then
    . /trust/uv.sh
    install="/opt/uv/bin/uv pip install --compile-bytecode --python /opt/slowfast/bin/python"
else
    install="/opt/slowfast/bin/pip install"
fi
for file in "$@"; do
    if [ -s "$file" ]; then
        while read -r line; do
            echo "+ $install $line"
            eval "$install --constraint /install/constraints.txt $line"
        done < "$file"
    fi
done
