# Assembles a Rust toolchain that can compile modules, out of Debian's packages, where rustup's servers are out of reach.
#
# Debian's rustc-web is a current compiler, rust-web-src the sources of its standard library, and the linkers come with
# the Rust that is installed already. Nothing is installed; everything lands in DEST. Lines on standard output are steps.
#
# DEST    folder to make; must not exist
# BASE    sysroot of the installed Rust, for its linkers
# HOST    its host triple, such as x86_64-unknown-linux-gnu
# CARGO   cargo
# TARGET  target to make the standard library for
set -euo pipefail
unset RUSTC_WRAPPER RUSTC_WORKSPACE_WRAPPER CARGO_TARGET_DIR CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET

multiarch=${HOST/-unknown-linux-/-linux-}
work=$DEST/.work
mkdir -p "$work/packages" "$work/root" "$DEST/bin" "$DEST/lib/rustlib/src/rust"
cd "$work/packages"

version_of() { apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ { if ($2 != "(none)") print $2 }'; }
download() {
    local version=$1 short=${1%%+*}
    local series=${short%.*} llvm
    llvm=$(apt-cache show "libstd-rust-web-$series=$version" | sed -n 's/^Depends:.*\(libllvm[0-9]*\).*/\1/p' | head -1)
    apt-get -qq -o APT::Sandbox::User=root download \
        "rustc-web=$version" "libstd-rust-web-dev=$version" "libstd-rust-web-$series=$version" "rust-web-src=$version" "$llvm"
}

version=$(version_of rustc-web)
if [ -z "$version" ]; then
    echo "updating the list of Debian's packages"
    apt-get update -qq
    version=$(version_of rustc-web)
fi
[ -n "$version" ] || { echo "Debian's packages have no rustc-web here" >&2; exit 1; }
echo "downloading rustc-web $version and its parts from Debian"
# A list that is too old names packages that are gone.
download "$version" || { apt-get update -qq; version=$(version_of rustc-web); download "$version"; }
short=${version%%+*}

echo "unpacking"
for package in rustc-web_*.deb libstd-rust-web*.deb libllvm*.deb; do dpkg -x "$package" ../root; done
dpkg --fsys-tarfile rust-web-src_*.deb | tar -x -C ../root "./usr/src/rustc-$short/library"
usr=$work/root/usr
mv "$usr/bin/rustc" "$DEST/bin/"
mv "$usr/lib/$multiarch"/*.so* "$DEST/lib/"
mv "$usr/lib/rustlib/$HOST" "$DEST/lib/rustlib/"
mv "$usr/src/rustc-$short/library" "$DEST/lib/rustlib/src/rust/library"
ln -s "$BASE/bin/cargo" "$DEST/bin/cargo"
ln -sfn "$BASE/lib/rustlib/$HOST/bin" "$DEST/lib/rustlib/$HOST/bin"

library=$DEST/lib/rustlib/src/rust/library
export LD_LIBRARY_PATH=$DEST/lib RUSTC=$DEST/bin/rustc RUSTC_BOOTSTRAP=1 __CARGO_DEFAULT_LIB_METADATA=func-guest
commit=$("$RUSTC" -vV | sed -n 's/commit-hash: //p')
echo "compiling the standard library for $TARGET (about a minute)"
cd "$library/sysroot"
RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes -Cdebuginfo=0 --remap-path-prefix=$library=/rustc/$commit/library" \
    "$CARGO" build -q --release --locked --target "$TARGET" --no-default-features --target-dir "$work/std" >&2
mkdir -p "$DEST/lib/rustlib/$TARGET/lib"
cp "$work/std/$TARGET/release/deps/"*.rlib "$DEST/lib/rustlib/$TARGET/lib/"
ls "$DEST/lib/rustlib/$TARGET/lib/"libstd-*.rlib >/dev/null
cd /
rm -rf "$work"
