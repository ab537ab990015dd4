#!/usr/bin/env bash
# Post the review of a pull request, or replace the one that is there.
#   .github/comment.sh OWNER/REPOSITORY NUMBER FILE
set -euo pipefail
repository=$1 number=$2 file=$3
# facade review begins with it. Not read from the file, which code of the pull request wrote.
mark='<!-- facade review -->'
[ "$(sed -n 1p "$file")" = "$mark" ] || { echo "$file is no review." >&2; exit 1; }
id=$(gh api --paginate "repos/$repository/issues/$number/comments" \
  --jq ".[] | select(.user.type == \"Bot\" and (.body | startswith(\"$mark\"))) | .id" | sed -n 1p)
if [ -n "$id" ]; then
  gh api --silent --method PATCH "repos/$repository/issues/comments/$id" --field "body=@$file"
else
  gh api --silent --method POST "repos/$repository/issues/$number/comments" --field "body=@$file"
fi
