# Installs the program `clipia` from a release, for this user: downloads the archive, checks its SHA-256, and copies the program to a
# directory, which is added to the user's PATH. Run it again to update.
#
#   CLIPIA_VERSION      the version, such as 0.1.0; by default that of this script
#   CLIPIA_INSTALL_DIR  where the program goes; by default %LOCALAPPDATA%\Programs\clipia
#   CLIPIA_RELEASES     where the releases are, for a mirror; the archives of a version are in its directory `v…`
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # showing it takes longer than the download

$version = if ($env:CLIPIA_VERSION) { $env:CLIPIA_VERSION } else { '@VERSION@' }
$directory = if ($env:CLIPIA_INSTALL_DIR) { $env:CLIPIA_INSTALL_DIR } else { Join-Path $env:LOCALAPPDATA 'Programs\clipia' }
$releases = if ($env:CLIPIA_RELEASES) { $env:CLIPIA_RELEASES } else { 'https://github.com/clipia/clipia-queue/releases/download' }

# A machine with an ARM processor runs this program too, translated.
$name = "clipia-queue-$version-x86_64-pc-windows-msvc"
$work = Join-Path ([System.IO.Path]::GetTempPath()) ([System.IO.Path]::GetRandomFileName())
New-Item -ItemType Directory -Path $work | Out-Null
try {
    foreach ($file in 'SHA256SUMS', "$name.zip") {
        Invoke-WebRequest -UseBasicParsing -Uri "$releases/v$version/$file" -OutFile (Join-Path $work $file)
    }
    $sum = (Get-FileHash -Algorithm SHA256 (Join-Path $work "$name.zip")).Hash.ToLowerInvariant()
    if ((Get-Content (Join-Path $work 'SHA256SUMS')) -notcontains "$sum  $name.zip") {
        throw "$name.zip is not the file that SHA256SUMS names. Download again; if it stays so, report it as SECURITY.md says."
    }
    Expand-Archive -Path (Join-Path $work "$name.zip") -DestinationPath $work
    $program = Join-Path $work "$name\clipia.exe"
    # The program must run here before it replaces one that did.
    & $program --version | Out-Null
    if ($LASTEXITCODE -ne 0) { throw 'The program does not run on this system.' }
    New-Item -ItemType Directory -Force -Path $directory | Out-Null
    # A program that runs cannot be written to, but it can be renamed.
    $installed = Join-Path $directory 'clipia.exe'
    if (Test-Path $installed) { Move-Item -Force $installed "$installed.old" }
    Copy-Item $program $installed
    Remove-Item -ErrorAction SilentlyContinue "$installed.old"
} finally {
    Remove-Item -Recurse -Force $work
}
Write-Output "installed clipia $version in $directory"
$path = [Environment]::GetEnvironmentVariable('Path', 'User')
if (-not $env:CLIPIA_INSTALL_DIR -and ($path -split ';') -notcontains $directory) {
    [Environment]::SetEnvironmentVariable('Path', "$path;$directory".TrimStart(';'), 'User')
    Write-Output 'note: it is in the PATH of terminals that are opened from now on'
}
